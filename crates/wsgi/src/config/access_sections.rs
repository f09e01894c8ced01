//! Whether sections of the configuration close a script's directory to all clients.
//!
//! Only what is certain counts: a section that may admit a client, whatever it depends on, is taken
//! for one that does. httpd itself decides when a request comes.

use crate::config::tokens::next_word;

/// A directive of httpd's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name, with a `<` in front if it is a section.
    pub name: String,
    /// Its arguments as they are written.
    pub arguments: String,
    /// The directives inside.
    pub inside: Vec<Node>,
}

/// A section, as far as access goes.
enum Opinion {
    /// It says nothing about access.
    None,
    /// It refuses every client.
    Closed,
    /// It may admit a client.
    Open,
}

impl Node {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The path that a section is for; `None` if it is for a pattern.
    fn path(&self) -> Option<String> {
        let mut arguments = self.arguments.trim_end().trim_end_matches('>');
        let path = next_word(&mut arguments)?.into_owned();
        let is_pattern = path.contains(['*', '?', '[', '~']) || !arguments.trim().is_empty();
        (!is_pattern).then(|| path.trim_end_matches('/').to_owned())
    }

    fn opinion(&self) -> Opinion {
        let mut opinion = Opinion::None;
        for node in &self.inside {
            let is_closing = node.is("Require") && is_all_denied(&node.arguments);
            let decides = ["Require", "Satisfy", "AuthMerging", "<RequireAny", "<RequireAll"];
            if is_closing {
                opinion = Opinion::Closed;
            } else if decides.iter().any(|name| node.is(name)) || may_open(&node.inside) {
                return Opinion::Open;
            }
        }
        opinion
    }
}

fn is_all_denied(arguments: &str) -> bool {
    let words = arguments.split_ascii_whitespace();
    words.map(str::to_ascii_lowercase).eq(["all", "denied"])
}

/// Whether something in these directives may admit a client.
fn may_open(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| {
        let opens = node.is("Require") && !is_all_denied(&node.arguments);
        opens || node.is("Satisfy") || may_open(&node.inside)
    })
}

fn covers(section: &str, path: &str) -> bool {
    let section = section.trim_end_matches('/');
    path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The `<Directory>` section that refuses every client the script at `script`, which the URL path
/// `url` leads to.
#[must_use]
pub fn closed_by<'t>(tree: &'t [Node], script: &str, url: &str) -> Option<&'t str> {
    let hosts = tree.iter().filter(|node| node.is("<VirtualHost")).flat_map(|host| &host.inside);
    // The longest path so far, the later of two alike, and the section if that refuses every
    // client.
    let mut deciding: (usize, Option<&Node>) = (0, None);
    for (node, is_of_host) in
        tree.iter().map(|node| (node, false)).chain(hosts.map(|node| (node, true)))
    {
        if node.is("<VirtualHost") || !node.name.starts_with('<') {
            continue;
        }
        let is_location = node.is("<Location");
        let path = (is_location || node.is("<Directory")).then(|| node.path()).flatten();
        let Some(path) = path else {
            // A section for a pattern or a condition.
            if may_open(&node.inside) {
                return None;
            }
            continue;
        };
        if is_location && covers(&path, url) && may_open(&node.inside) {
            return None;
        }
        if is_location || !covers(&path, script) {
            continue;
        }
        let closed = match node.opinion() {
            Opinion::None => continue,
            Opinion::Open => None,
            // Which requests a virtual host gets is not known here.
            Opinion::Closed if is_of_host => continue,
            Opinion::Closed => Some(node),
        };
        if path.len() >= deciding.0 {
            deciding = (path.len(), closed);
        }
    }
    deciding.1.map(|node| node.arguments.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of lines; a line that begins with `<` opens a section, and `</` closes one.
    fn tree(text: &str) -> Vec<Node> {
        fn read<'l>(lines: &mut impl Iterator<Item = &'l str>) -> Vec<Node> {
            let mut nodes = Vec::new();
            while let Some(line) = lines.next() {
                if line.starts_with("</") {
                    break;
                }
                let (name, arguments) = line.split_once(' ').unwrap();
                let inside = if name.starts_with('<') { read(lines) } else { Vec::new() };
                nodes.push(Node { name: name.into(), arguments: arguments.into(), inside });
            }
            nodes
        }
        read(&mut text.lines())
    }

    fn closed(text: &str) -> bool {
        const ROOT: &str = "<Directory />\nRequire all denied\n</Directory>\n";
        closed_by(&tree(&format!("{ROOT}{text}")), "/srv/app/a.wsgi", "/app").is_some()
    }

    #[test]
    fn what_nobody_opens_is_closed() {
        assert!(closed(""));
        assert!(closed("<Directory /srv/other>\nRequire all granted\n</Directory>"));
        assert!(closed("<Directory /srv/ap>\nRequire all granted\n</Directory>"));
        assert!(closed("<Directory /srv/app>\nOptions None\nAllow from all\n</Directory>"));
        assert!(closed("<Location /status>\nRequire local\n</Location>"));
        assert!(closed("<FilesMatch \"^\\.ht\">\nRequire all denied\n</FilesMatch>"));
        let inner = "<Directory \"/srv\">\nRequire all granted\n</Directory>\n\
                     <Directory \"/srv/app/\">\nRequire  All denied\n</Directory>";
        assert!(closed(inner));
        assert_eq!(closed_by(&[], "/srv/app/a.wsgi", "/app"), None);
    }

    #[test]
    fn what_may_open_it_does() {
        for open in [
            "<Directory /srv/app>\nRequire all granted\n</Directory>",
            "<Directory \"/srv/\">\nRequire ip 10\n</Directory>",
            "<Directory /srv/app>\n<Files a.wsgi>\nRequire all granted\n</Files>\n</Directory>",
            "<Directory /srv/app>\n<RequireAny >\nRequire host x\n</RequireAny>\n</Directory>",
            "<Directory />\nRequire all granted\n</Directory>",
            "<Directory /srv/*>\nRequire all granted\n</Directory>",
            "<Directory ~ \"^/srv\">\nRequire all granted\n</Directory>",
            "<DirectoryMatch ^/srv>\nRequire all granted\n</DirectoryMatch>",
            "<Location />\nRequire all granted\n</Location>",
            "<Location /app>\nRequire valid-user\n</Location>",
            "<Files a.wsgi>\nRequire all granted\n</Files>",
            "<VirtualHost *:80>\n<Directory /srv>\nRequire all granted\n</Directory>\n\
             </VirtualHost>",
        ] {
            assert!(!closed(open), "{open}");
        }
    }
}

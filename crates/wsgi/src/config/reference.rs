//! The reference page of directives and options, made from the catalogue.

use std::fmt::Write as _;

use crate::config::category::Category;
use crate::config::daemon_process::{DaemonOption, OPTION_CATEGORIES};
use crate::config::directives::{CATEGORIES, Directive, Override};

const INTRODUCTION: &str = "\
# Directives

<!-- Made from the catalogue by `cargo xtask reference`; a test fails where it is stale. -->

Every directive of mod_wsgi 6, those that older configurations have, and what Dormouse adds. A value
in parentheses at the end of a description is what holds where nothing is said. Where a directive
may stand: **server** is the main configuration, **virtual host** `<VirtualHost>`, **directory**
`<Directory>`, `<Location>` and `<Files>`; `.htaccess` needs the class of `AllowOverride` that is
named. An inner value counts more than an outer one. `On` and `Off` may be written in upper and
lower case.

Names of process groups and application groups may be `%{GLOBAL}`, `%{SERVER}` (the server's name
and port), `%{HOST}` (the host that the client asked for), `%{RESOURCE}` (server and script) and
`%{ENV:variable}` (a note or variable of the request, or a variable of httpd). Only a whole value is
replaced.
";

/// The page, as Markdown.
#[must_use]
pub fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    for Category { title, entries } in CATEGORIES {
        let _ = writeln!(text, "\n## {title}");
        for directive in *entries {
            write_directive(directive, &mut text);
        }
    }
    text.push_str("\n## Options of `WSGIDaemonProcess`\n");
    text.push_str(
        "\nEach is written `name=value`, without blanks; a value with blanks in it is quoted.\n",
    );
    for Category { title, entries } in OPTION_CATEGORIES {
        let _ = writeln!(text, "\n### {title}\n\n| option | value | what it does |\n|---|---|---|");
        for option in *entries {
            write_option(option, &mut text);
        }
    }
    text
}

fn write_directive(directive: &Directive, text: &mut String) {
    let name = directive.name.to_string_lossy();
    let arguments = directive.arguments.to_string_lossy();
    let heading = if directive.is_section() { format!("{name}>") } else { name.to_string() };
    let _ = writeln!(text, "\n### `{heading}`\n\n```apache\n{name} {arguments}\n```\n");
    let _ = writeln!(text, "{}\n\nContext: {}.", directive.documentation, context(directive));
}

fn context(directive: &Directive) -> String {
    let mut places = vec!["server"];
    let allowed = directive.allowed;
    if allowed.virtual_host {
        places.push("virtual host");
    }
    if allowed.directory {
        places.push("directory");
    }
    match allowed.htaccess {
        Some(Override::FileInfo) => places.push("`.htaccess` (FileInfo)"),
        Some(Override::AuthConfig) => places.push("`.htaccess` (AuthConfig)"),
        None => {}
    }
    if allowed.interpreter_options {
        places.push("`<WSGIInterpreterOptions>`");
    }
    places.join(", ")
}

fn write_option(option: &DaemonOption, text: &mut String) {
    let documentation = option.documentation.replace('|', "\\|");
    let _ = writeln!(text, "| `{}` | {} | {documentation} |", option.name, option.allowed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let kept = include_str!("../../../../docs/directives.md");
        assert!(kept == page(), "docs/directives.md is stale: run `cargo xtask reference`");
    }
}

//! The script of a hook, as a directive names it.

use crate::config::argument::{ArgumentError, nearest};
use crate::config::tokens::{NotAPair, Pair, next_pair, next_word};

/// A script with hooks, as a directive names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookScript {
    /// Path of the script, as written: relative to `ServerRoot`.
    pub path: String,
    /// The process group that is asked; `None` for httpd's own children.
    pub process_group: Option<String>,
    /// Value of `application-group`, not expanded.
    pub application_group: Option<String>,
    /// Whether `.htaccess` names it, whose author is not trusted with every process group.
    pub in_htaccess: bool,
}

impl HookScript {
    /// Reads the arguments of a directive: a path and options.
    pub fn parse(mut arguments: &str, in_htaccess: bool) -> Result<Self, ArgumentError> {
        const NAMES: [&str; 2] = ["application-group", "process-group"];
        let path = next_word(&mut arguments).filter(|path| !path.is_empty());
        let path = path.ok_or(ArgumentError::Missing("the script's path"))?.into_owned();
        let mut script = Self { path, process_group: None, application_group: None, in_htaccess };
        while let Some(pair) = next_pair(&mut arguments) {
            let Pair { name, value } =
                pair.map_err(|NotAPair(word)| ArgumentError::NotAPair(word))?;
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
                return Err(ArgumentError::UnknownOption { nearest: nearest(&name, NAMES), name });
            };
            if value.is_empty() {
                return Err(ArgumentError::option(known, &value, "a name"));
            }
            if known == "application-group" {
                script.application_group = Some(value);
            } else {
                script.process_group = delegate(&value)?;
            }
        }
        Ok(script)
    }
}

/// The group behind `process-group=`. It is the same for every request, so that it can be checked
/// when the configuration is read.
fn delegate(value: &str) -> Result<Option<String>, ArgumentError> {
    const ALLOWED: &str = "the name of a process group, or %{GLOBAL} for httpd's own children";
    match value {
        "%{GLOBAL}" => Ok(None),
        _ if value.starts_with('%') => Err(ArgumentError::option("process-group", value, ALLOWED)),
        _ => Ok(Some(value.to_owned())),
    }
}

/// A hook that stands in a server's configuration, for the checks when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedHook {
    /// The directive.
    pub directive: &'static str,
    /// The script that it names.
    pub script: std::sync::Arc<HookScript>,
    /// File and line of the directive.
    pub place: (String, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(arguments: &str) -> String {
        HookScript::parse(arguments, false).unwrap_err().to_string()
    }

    #[test]
    fn a_script_has_a_place_to_run() {
        let script = HookScript::parse("'/srv/my auth.py' application-group=%{SERVER}", true);
        let expected = HookScript {
            path: "/srv/my auth.py".into(),
            process_group: None,
            application_group: Some("%{SERVER}".into()),
            in_htaccess: true,
        };
        assert_eq!(script, Ok(expected));
        let group = |arguments| HookScript::parse(arguments, false).unwrap().process_group;
        assert_eq!(group("/a process-group=auth"), Some("auth".into()));
        assert_eq!(group("/a process-group=%{GLOBAL}"), None);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(error(""), "the script's path is missing");
        assert_eq!(error("/a process-group="), "process-group=: the value must be a name");
        assert_eq!(
            error("/a process_group=x"),
            "there is no option \"process_group\"; did you mean \"process-group\"?"
        );
        assert_eq!(
            error("/a process-group=%{ENV:x}"),
            "process-group=%{ENV:x}: the value must be the name of a process group, or %{GLOBAL} \
             for httpd's own children"
        );
        assert_eq!(error("/a b"), "\"b\" is not of the form name=value");
    }
}

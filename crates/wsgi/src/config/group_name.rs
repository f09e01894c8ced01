//! Names of process groups and application groups, and the `%{…}` in them.
//!
//! A value is expanded only if it begins with `%`; what cannot be expanded stays as it is, so that
//! a request fails with "no such process group" rather than landing somewhere by chance.

use std::borrow::Cow;

/// The facts about a request that the expansion needs.
pub trait NameFacts {
    /// `ServerName`, followed by `:port` unless the port is 80 or 443.
    fn server(&self) -> String;
    /// The request's host (else `ServerName`), followed by `:port` unless the port is 80 or 443.
    fn host(&self) -> String;
    /// The script's name: the URI's path without the trailing path info.
    fn script_name(&self) -> String;
    /// A variable of the request's notes, its environment or the process's environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The name of the process group of a request; empty in embedded mode.
pub fn process_group<'v>(value: Option<&'v str>, facts: &impl NameFacts) -> Cow<'v, str> {
    value.map_or(Cow::Borrowed(""), |value| expand(value, facts))
}

/// The name of the application group of a request; empty for the main interpreter.
pub fn application_group<'v>(value: Option<&'v str>, facts: &impl NameFacts) -> Cow<'v, str> {
    expand(value.unwrap_or("%{RESOURCE}"), facts)
}

/// The name of the application group that a hook runs in; empty for the main interpreter. As in
/// mod_wsgi, only what is known without a script is expanded.
pub fn hook_application_group<'v>(value: Option<&'v str>, facts: &impl NameFacts) -> Cow<'v, str> {
    match value {
        None | Some("%{GLOBAL}") => "".into(),
        Some("%{SERVER}") => facts.server().into(),
        Some("%{HOST}") => facts.host().into(),
        Some(name) => name.into(),
    }
}

/// The name of the application object of a request.
pub fn callable<'v>(value: Option<&'v str>, facts: &impl NameFacts) -> Cow<'v, str> {
    const DEFAULT: &str = "application";
    let Some(value) = value else { return DEFAULT.into() };
    if !value.starts_with('%') {
        return value.into();
    }
    variable_name(value).and_then(|name| facts.variable(name)).map_or(DEFAULT.into(), Cow::Owned)
}

fn expand<'v>(value: &'v str, facts: &impl NameFacts) -> Cow<'v, str> {
    match value {
        "%{GLOBAL}" => "".into(),
        "%{SERVER}" => facts.server().into(),
        "%{HOST}" => facts.host().into(),
        "%{RESOURCE}" => format!("{}|{}", facts.server(), facts.script_name()).into(),
        _ => match variable_name(value).and_then(|name| facts.variable(name)) {
            // A variable may name another token, once.
            Some(found) if found.starts_with('%') && variable_name(&found).is_none() => {
                expand(&found, facts).into_owned().into()
            }
            Some(found) => found.into(),
            None => value.into(),
        },
    }
}

/// The name in `%{ENV:name}`; `None` for any other text.
pub fn variable_name(value: &str) -> Option<&str> {
    value.strip_prefix("%{ENV:")?.strip_suffix('}')
}

/// `name`, followed by `:port` unless it is one of the usual ports.
pub fn with_port(name: &str, port: u16) -> String {
    match port {
        0 | 80 | 443 => name.to_owned(),
        port => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Request;

    impl NameFacts for Request {
        fn server(&self) -> String {
            with_port("www.example.com", 8080)
        }
        fn host(&self) -> String {
            with_port("example.net", 443)
        }
        fn script_name(&self) -> String {
            "/app".into()
        }
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "plain" => Some("name".into()),
                "token" => Some("%{SERVER}".into()),
                "chain" => Some("%{ENV:plain}".into()),
                _ => None,
            }
        }
    }

    #[test]
    fn unset_values_have_defaults() {
        assert_eq!(process_group(None, &Request), "");
        assert_eq!(application_group(None, &Request), "www.example.com:8080|/app");
        assert_eq!(callable(None, &Request), "application");
    }

    #[test]
    fn tokens_expand() {
        let group = |value| application_group(Some(value), &Request).into_owned();
        assert_eq!(group("%{GLOBAL}"), "");
        assert_eq!(group("%{SERVER}"), "www.example.com:8080");
        assert_eq!(group("%{HOST}"), "example.net");
        assert_eq!(group("%{ENV:plain}"), "name");
        assert_eq!(group("%{ENV:token}"), "www.example.com:8080");
        assert_eq!(group("%{ENV:chain}"), "%{ENV:plain}", "expanded once only");
    }

    #[test]
    fn hooks_expand_less() {
        let group = |value| hook_application_group(value, &Request).into_owned();
        assert_eq!((group(None), group(Some("%{GLOBAL}"))), (String::new(), String::new()));
        assert_eq!(group(Some("%{SERVER}")), "www.example.com:8080");
        assert_eq!(group(Some("%{HOST}")), "example.net");
        for value in ["%{RESOURCE}", "%{ENV:plain}", "plain"] {
            assert_eq!(group(Some(value)), value);
        }
    }

    #[test]
    fn what_cannot_be_expanded_stays() {
        for value in ["%{ENV:missing}", "%{NOPE}", "%{ENV:plain", "a%{GLOBAL}", "plain"] {
            assert_eq!(process_group(Some(value), &Request), value);
        }
    }

    #[test]
    fn callables_expand_variables_only() {
        assert_eq!(callable(Some("app"), &Request), "app");
        assert_eq!(callable(Some("%{ENV:plain}"), &Request), "name");
        assert_eq!(callable(Some("%{GLOBAL}"), &Request), "application");
        assert_eq!(callable(Some("%{ENV:missing}"), &Request), "application");
    }
}

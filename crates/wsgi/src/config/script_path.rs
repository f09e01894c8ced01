//! Paths of scripts as httpd resolves them, so that one script has one name.

/// A path as httpd makes it of what an alias gives: without doubled slashes, `.` and `..`. Symbolic
/// links play no part. A slash at the end stays.
#[must_use]
pub fn resolved(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            // The root directory is its own parent.
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    joined(path, &parts)
}

/// A path without doubled slashes and `.`, which names the same file whatever links there are.
#[must_use]
pub fn tidied(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    joined(path, &parts)
}

/// The parts with the slashes that `path` has at its ends.
fn joined(path: &str, parts: &[&str]) -> String {
    let first = if path.starts_with('/') { "/" } else { "" };
    let last = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("{first}{}{last}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_a_path_are_one() {
        for (written, path, tidy) in [
            ("/srv/a.wsgi", "/srv/a.wsgi", "/srv/a.wsgi"),
            ("//srv///app//./a.wsgi", "/srv/app/a.wsgi", "/srv/app/a.wsgi"),
            ("/srv/x/../a.wsgi", "/srv/a.wsgi", "/srv/x/../a.wsgi"),
            ("/../../a/", "/a/", "/../../a/"),
            ("/", "/", "/"),
            ("x/..//../a", "../a", "x/../../a"),
            ("", "", ""),
        ] {
            assert_eq!((resolved(written).as_str(), tidied(written).as_str()), (path, tidy));
        }
    }

    proptest! {
        #[test]
        fn resolved_paths_stay(path in "[/.a]{0,12}") {
            let once = resolved(&path);
            prop_assert_eq!(resolved(&once), once.clone());
            prop_assert_eq!(tidied(&once), once);
        }
    }
}

//! The options of process groups, as they stand in a configuration.

use wsgi::config::daemon_process::GroupSpec;

/// The arguments of `WSGIDaemonProcess`. They are refused with a text for people, or make a group
/// that can be told to `wsgid`.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn options(bytes: &[u8]) {
    let Ok(arguments) = std::str::from_utf8(bytes) else { return };
    let spec = match GroupSpec::parse(arguments) {
        Ok(spec) => spec,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!spec.name.is_empty());
    let pool = spec.pool();
    assert!(pool.most >= 1 && pool.least <= pool.most, "{pool:?}");
    let json = serde_json::to_string(&spec).expect("a group can be written");
    let again: GroupSpec = serde_json::from_str(&json).expect("a group can be read");
    assert_eq!(again, spec);
}

//! Any Python: one build of the engine in every version and every virtual environment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use testkit::{Httpd, installation};

#[test]
fn every_python_serves_a_group_of_one_httpd() {
    let pythons = installation::pythons();
    assert!(!pythons.is_empty());
    let mut conf = String::new();
    for (number, home) in pythons.values().enumerate() {
        let home = home.display();
        writeln!(
            conf,
            "WSGIDaemonProcess python{number} threads=1 python-home=\"{home}\"\n\
             WSGIScriptAlias /{number} {{apps}}/process.wsgi process-group=python{number}"
        )
        .unwrap();
    }
    let httpd = Httpd::new("pythons").conf(&conf).start();
    let mut served = BTreeMap::new();
    for (number, version) in pythons.keys().enumerate() {
        let facts = httpd.get(&format!("/{number}/facts")).send().json();
        assert_eq!(facts["version"].as_str().unwrap(), version);
        assert_eq!(facts["prefix"].as_str().unwrap(), pythons[version].to_str().unwrap());
        served.insert(version, facts["pid"].as_i64().unwrap());
    }
    assert_eq!(served.len(), pythons.len());
}

#[test]
fn a_virtual_environment_is_found_as_its_own_python_finds_it() {
    let httpd = Httpd::new("venv")
        .conf(
            "WSGIDaemonProcess venv threads=1 python-home={venv}\nWSGIPythonHome {venv}\n\
             WSGIScriptAlias /daemon {apps}/process.wsgi process-group=venv\n\
             WSGIScriptAlias /embedded {apps}/process.wsgi",
        )
        .start();
    let venv = installation::venv().unwrap();
    for path in ["/daemon", "/embedded"] {
        let facts = httpd.get(&format!("{path}/facts")).send().json();
        assert_eq!(facts["prefix"].as_str().unwrap(), venv.to_str().unwrap(), "{path}");
        let (minor, _) = facts["version"].as_str().unwrap().rsplit_once('.').unwrap();
        let packages = venv.join("lib").join(format!("python{minor}")).join("site-packages");
        let paths = facts["path"].as_array().unwrap();
        let known = paths.iter().any(|entry| entry.as_str() == packages.to_str());
        assert!(known, "{path}: {} in {paths:?}", packages.display());
    }
}

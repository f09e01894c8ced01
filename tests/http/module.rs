//! The module in httpd: how it is known, and what it does not bring along.

use testkit::{Httpd, Kind, Mode};

#[test]
fn it_is_known_as_mod_wsgi() {
    let httpd = Httpd::new("names")
        .conf(
            "<IfModule mod_wsgi.c>\nRedirect 307 /by-source /x\n</IfModule>\n\
             <IfModule wsgi_module>\nRedirect 307 /by-name /x\n</IfModule>\n\
             <IfModule !mod_wsgi.c>\nRedirect 410 /by-source\n</IfModule>",
        )
        .start();
    for path in ["/by-source", "/by-name"] {
        let reply = httpd.get(path).send();
        assert_eq!(reply.status, 307, "{path}");
        let banner = reply.header("Server").unwrap();
        assert!(banner.contains("mod_wsgi/6") && banner.contains("Dormouse/"), "{banner}");
    }
}

/// The files that a process without Python has not mapped.
const PYTHON: [&str; 3] = ["libpython", "_mod_wsgi.abi3.so", "/bin/python"];

#[test]
fn no_httpd_process_maps_python_in_daemon_mode() {
    let httpd = Httpd::new("maps").app("process.wsgi").mode(Mode::Daemon).start();
    for _ in 0..20 {
        assert_eq!(httpd.get("/facts").send().status, 200);
    }
    let looked_at = |kind| {
        let pids = httpd.pids(kind);
        assert!(!pids.is_empty(), "there is a {kind:?}");
        pids.into_iter().map(|pid| httpd.maps(pid)).collect::<Vec<_>>()
    };
    for kind in [Kind::Parent, Kind::Child, Kind::Supervisor] {
        for maps in looked_at(kind) {
            for part in PYTHON {
                assert!(!maps.contains(part), "{kind:?} maps {part}:\n{maps}");
            }
        }
    }
    // The same look at a worker finds it, so it would have found it elsewhere.
    assert!(looked_at(Kind::Worker).iter().all(|maps| maps.contains("_mod_wsgi.abi3.so")));
}

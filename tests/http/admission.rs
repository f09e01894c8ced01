//! When a request begins that a process could take: those that compute keep it from beginning only
//! for a moment, those that wait not at all.

use testkit::{Httpd, Mode, Mpm, both_modes, wait_until};

/// One process that has learned that its requests compute for a while.
fn busy(name: &str, mode: Mode) -> Httpd {
    let setup = Httpd::new(name).app("busy.wsgi").mode(mode).daemon("processes=1 threads=6");
    let httpd = if mode == Mode::Embedded { setup.one_child() } else { setup }.start();
    for _ in 0..20 {
        assert_eq!(httpd.get("/compute").send().text(), "/compute");
    }
    httpd
}

/// Waits until so many requests for `target` run.
fn wait_for(httpd: &Httpd, target: &str, count: usize) {
    wait_until("the requests run", || {
        let reply = httpd.get("/").send().text();
        reply.split(' ').filter(|running| *running == target).count() == count
    });
}

both_modes! {
    fn requests_that_wait_keep_none_from_beginning(mode) {
        if mode == Mode::Embedded && Mpm::from_environment().unwrap() == Mpm::Prefork {
            // A process has one request.
            return;
        }
        let httpd = busy("waiting", mode);
        let waiting: Vec<_> =
            (0..4).map(|_| httpd.get("/wait").start().unwrap()).collect();
        wait_for(&httpd, "/wait", 4);
        assert_eq!(httpd.get("/open").send().status, 200);
        for mut connection in waiting {
            assert_eq!(connection.reply().unwrap().status, 200);
        }
    }

    fn a_request_that_computes_for_long_keeps_none_from_beginning(mode) {
        if mode == Mode::Embedded && Mpm::from_environment().unwrap() == Mpm::Prefork {
            return;
        }
        let httpd = busy("spinning", mode);
        let spinning: Vec<_> =
            (0..2).map(|_| httpd.get("/spin").start().unwrap()).collect();
        wait_for(&httpd, "/spin", 2);
        assert_eq!(httpd.get("/stop").send().status, 200);
        for mut connection in spinning {
            assert_eq!(connection.reply().unwrap().status, 200);
        }
    }
}

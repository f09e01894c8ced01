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

/// Requests begin beside so many others for `target`, which `release` ends.
fn requests_begin_beside(mode: Mode, target: &str, count: usize, release: &str) {
    if mode == Mode::Embedded && Mpm::from_environment().unwrap() == Mpm::Prefork {
        // A process has one request.
        return;
    }
    let httpd = busy(target.trim_start_matches('/'), mode);
    let others: Vec<_> = (0..count).map(|_| httpd.get(target).start().unwrap()).collect();
    wait_for(&httpd, target, count);
    assert_eq!(httpd.get(release).send().status, 200);
    for mut connection in others {
        assert_eq!(connection.reply().unwrap().status, 200);
    }
}

both_modes! {
    fn requests_that_wait_keep_none_from_beginning(mode) {
        requests_begin_beside(mode, "/wait", 4, "/open");
    }

    fn a_request_that_computes_for_long_keeps_none_from_beginning(mode) {
        requests_begin_beside(mode, "/spin", 2, "/stop");
    }
}

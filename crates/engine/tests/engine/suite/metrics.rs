//! Metrics. What is recorded belongs to the process, so these tests have one each.

use super::{Ask, alone, script};

/// An application that runs the code in its query (of this test's own making).
const EVALUATE: &str = "
import mod_wsgi, os, threading, time
def application(environ, start_response):
    status = environ.get('STATUS', '200 OK')
    if environ.get('READ'): environ['wsgi.input'].read()
    start_response(status, [])
    return [str(eval(environ.get('CODE', '\"\"'))).encode()]
";

#[test]
fn nothing_is_recorded_before_it_is_asked_for() {
    alone("suite::metrics::nothing_is_recorded_before_it_is_asked_for", || {
        let path = script(EVALUATE);
        let eval = |code| Ask::at(path.clone()).environ("CODE", code).run().text();
        let functions = "[mod_wsgi.request_metrics(), mod_wsgi.process_metrics()]";
        assert_eq!(eval(functions), "[None, None]");
        assert_eq!(eval("mod_wsgi.start_recording_metrics()"), "None");
        // The request that began it is not one of those that are recorded; this one still runs.
        assert_eq!(eval("mod_wsgi.process_metrics()['request_count']"), "0");
        assert_eq!(eval("mod_wsgi.start_recording_metrics()"), "None");
        assert_eq!(eval("mod_wsgi.process_metrics()['request_count']"), "2");
    });
}

#[test]
fn the_scoreboard_is_reported() {
    let path = script(EVALUATE);
    let ask = |code| Ask::at(path.clone()).environ("CODE", code);
    assert_eq!(
        ask("mod_wsgi.server_metrics()").run().text(),
        "{'server_limit': 16, 'thread_limit': 64, 'running_generation': 3, 'restart_time': 1.0, \
         'current_time': 4.5, 'running_time': 3, 'processes': [{'process_num': 0, 'pid': 1, \
         'generation': 3, 'quiescing': True, 'workers': [{'thread_num': 0, 'generation': 3, \
         'status': 'W', 'access_count': 7, 'bytes_served': 1099511627776, 'start_time': 1.5, \
         'stop_time': 2.5, 'last_used': 2.75, 'client': '127.0.0.1', \
         'request': 'GET /ä HTTP/1.1', 'vhost': 'www:80'}, {'thread_num': 1, 'generation': 0, \
         'status': '.', 'access_count': 0, 'bytes_served': 0, 'start_time': 0.0, \
         'stop_time': 0.0, 'last_used': 0.0, 'client': '', 'request': '', 'vhost': ''}]}]}"
    );
    let elsewhere = "(lambda seen: [thread := threading.Thread(target=lambda: \
                     seen.append(mod_wsgi.server_metrics())), thread.start(), thread.join(), \
                     seen[0] and seen[0]['processes'][0]['pid']][-1])([])";
    assert_eq!(ask(elsewhere).run().text(), "None", "a worker has a scoreboard in a request only");
    // The main interpreter's module is that of the other engine.
    assert_eq!(ask(elsewhere).embedded().group("metrics|board").run().text(), "2");
}

#[test]
fn reports_about_requests() {
    alone("suite::metrics::reports_about_requests", || {
        let path = script(EVALUATE);
        let ask = |group| Ask::at(path.clone()).group(group);
        let eval = |code: &'static str| ask("").environ("CODE", code).run().text();
        eval("mod_wsgi.start_recording_metrics()");
        for status in ["204 A", "302 B", "404 C", "503 D"] {
            ask("metrics|other").environ("STATUS", status).run().text();
        }
        ask("").environ("READ", "1").environ("CODE", "'123456'").body(b"1234").run().text();
        // Made by whichever interpreter; the request itself is one that still runs.
        assert_eq!(
            eval(
                "(lambda m: [globals().update(m=m), m['pid'] == os.getpid(), m['request_count'], \
                 m['status_1xx'], m['status_2xx'], m['status_3xx'], m['status_4xx'], \
                 m['status_5xx'], m['input_bytes'], m['input_reads'], m['output_bytes'], \
                 m['output_writes'], m['request_threads_maximum'], m['request_threads_started'], \
                 m['request_threads_active'], m['request_threads_completed']])\
                 (mod_wsgi.request_metrics())"
            ),
            "[None, True, 5, 0, 2, 1, 1, 1, 4, 1, 6, 1, 4, 1, 1, [5]]"
        );
        assert_eq!(
            eval(
                "[m['sample_period'] > 0, \
                 m['start_time'] < m['stop_time'], \
                 abs(m['request_throughput'] * m['sample_period'] - 5) < 1e-6, \
                 0 < m['capacity_utilization'] <= 0.25, m['cpu_utilization'] == m['cpu_time'], \
                 m['cpu_user_time'] == m['cpu_user_utilization'], \
                 m['cpu_system_time'] == m['cpu_system_utilization'], \
                 m['memory_max_rss'] >= m['memory_rss'] > 1 << 20, m['gil_wait_count'] >= 5, \
                 m['request_threads_buckets'] == [5]]"
            ),
            "[True, True, True, True, True, True, True, True, True, True]"
        );
        assert_eq!(
            eval(
                "[(len(m[p + '_buckets']), sum(m[p + '_buckets']), m[p] is not None, \
                 0 <= m[p + '_min_us'] <= m[p] * 1e6 + 1 <= m[p + '_max_us'] + 2) for p in \
                 ('server_time', 'daemon_time', 'application_time', 'request_time', \
                 'gil_wait_time', 'input_read_time', 'output_write_time')]"
            ),
            "[(65, 5, True, True), (65, 5, True, True), (65, 5, True, True), (65, 5, True, True), \
             (65, 5, True, True), (65, 1, True, True), (65, 1, True, True)]"
        );
        assert_eq!(
            eval("[m['server_time'], m['server_time_buckets'].index(5), m['server_time_min_us']]"),
            "[1.0, 39, 1000000]"
        );
        // The requests of 1970 have waited for ages.
        assert_eq!(eval("m['queue_time_buckets'][64]"), "5");
        assert_eq!(
            eval(
                "[len(m['request_threads_' + k]) for k in ('busy_time', 'cpu_time', \
                 'current_elapsed', 'max_duration')] + [m['request_threads_busy_time'][0] >= \
                 m['request_threads_current_elapsed'][0] > 0, \
                 m['request_threads_max_duration'][0] > 0]"
            ),
            "[1, 1, 1, 1, True, True]"
        );
        // A new period begins where the last one ended.
        assert_eq!(
            eval(
                "(lambda n: [n['start_time'] == m['stop_time'], n['request_count']])\
                  (mod_wsgi.request_metrics())"
            ),
            "[True, 6]"
        );
        assert_eq!(
            eval(
                "(lambda n: [n['request_count'], n['input_read_time'], \
                  n['input_read_time_min_us'], n['input_read_time_max_us']])\
                  (mod_wsgi.request_metrics())"
            ),
            "[1, 0.0, None, None]"
        );
    });
}

#[test]
fn a_request_that_goes_on_counts_in_each_period() {
    alone("suite::metrics::a_request_that_goes_on_counts_in_each_period", || {
        let path = script(EVALUATE);
        let eval = |code: &'static str| Ask::at(path.clone()).environ("CODE", code).run().text();
        eval("mod_wsgi.start_recording_metrics()");
        assert_eq!(
            eval(
                "[(m['request_count'], m['request_threads_active'], \
                 m['request_threads_completed'], m['request_threads_busy_time'][0] > 0, \
                 m['request_threads_busy_time'][0] <= m['request_threads_current_elapsed'][0]) \
                 for m in (mod_wsgi.request_metrics(), mod_wsgi.request_metrics())]"
            ),
            "[(0, 1, [0], True, True), (0, 1, [0], True, True)]"
        );
        // Three threads have run requests at the end, two of them in the last period.
        let idle = "(lambda m: m['request_threads_active'])(mod_wsgi.request_metrics())";
        std::thread::scope(|scope| {
            scope.spawn(|| eval(idle));
        });
        let later = std::thread::scope(|scope| scope.spawn(|| eval(idle)).join().unwrap());
        assert_eq!(later, "2");
    });
}

#[test]
fn embedded_requests_have_no_queue() {
    alone("suite::metrics::embedded_requests_have_no_queue", || {
        let path = script(EVALUATE);
        let eval = |code: &'static str| {
            Ask::at(path.clone()).embedded().group("metrics|e").environ("CODE", code).run().text()
        };
        eval("mod_wsgi.start_recording_metrics()");
        eval("1");
        assert_eq!(
            eval(
                "(lambda m: [m['queue_time'], m['daemon_time'], sum(m['queue_time_buckets']), \
                  m['queue_time_min_us'], sum(m['server_time_buckets'])])\
                  (mod_wsgi.request_metrics())"
            ),
            "[None, None, 0, None, 1]"
        );
    });
}

#[test]
fn reports_about_the_process() {
    alone("suite::metrics::reports_about_the_process", || {
        let path = script(EVALUATE);
        let eval = |code: &'static str| Ask::at(path.clone()).environ("CODE", code).run().text();
        // The kernel counts the time of so young a process by ticks, and may have seen none yet.
        eval("[0 for _ in iter(lambda: os.times().user > 0, True)]");
        eval("mod_wsgi.start_recording_metrics()");
        std::thread::scope(|scope| {
            scope.spawn(|| eval("1"));
        });
        eval("1");
        assert_eq!(
            eval(
                "(lambda p: [p['pid'] == os.getpid(), p['request_count'], p['active_requests'], \
                 p['request_threads'], p['threads'], p['request_busy_time'] > 0, \
                 p['memory_max_rss'] >= p['memory_rss'] > 1 << 20, \
                 p['cpu_time'] >= p['cpu_user_time'] > 0, \
                 p['restart_time'] <= p['current_time'] < time.time() + 1, \
                 abs(p['restart_time'] - os.stat('/proc/self').st_ctime) < 60, \
                 p['running_time'] == int(p['current_time'] - p['restart_time']), len(p)])\
                 (mod_wsgi.process_metrics())"
            ),
            "[True, 2, 1, 4, [{'thread_id': 1, 'request_count': 1}, {'thread_id': 2, \
             'request_count': 1}], True, True, True, True, True, True, 14]"
        );
    });
}

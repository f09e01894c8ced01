//! Which request leads to which script, group and callable.

use serde_json::Value;
use testkit::{Httpd, Mode, both_modes};

const TWO_CALLABLES: &str = "
def answer(text):
    def application(environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [(text + ' ' + environ['SCRIPT_NAME'] + '|' + environ['PATH_INFO']).encode()]
    return application

application = answer('application')
other = answer('other')
";

both_modes! {
    fn aliases_are_tried_in_their_order(mode) {
        let httpd = Httpd::new("aliases")
            .file("apps/a.wsgi", TWO_CALLABLES)
            .file("apps/b.wsgi", TWO_CALLABLES)
            .conf(
                "WSGIScriptAlias /app/inner {root}/apps/b.wsgi callable-object=other\n\
                 WSGIScriptAlias /app {root}/apps/a.wsgi\n\
                 WSGIScriptAlias /app/never {root}/apps/b.wsgi\n\
                 WSGIScriptAliasMatch ^/files/([a-z]+) {root}/apps/$1.wsgi\n\
                 WSGIScriptAlias /dir/ {root}/apps/",
            )
            .mode(mode)
            .start();
        let text = |path: &str| httpd.get(path).send().text();
        assert_eq!(text("/app/inner/x"), "other /app/inner|/x");
        assert_eq!(text("/app/never/x"), "application /app|/never/x");
        assert_eq!(text("/files/b/x"), "application /files/b|/x");
        assert_eq!(text("/dir/a.wsgi/x"), "application /dir/a.wsgi|/x");
        assert_eq!(httpd.get("/other").send().status, 404);
        for code in ["WSGI0135", "WSGI0136"] {
            httpd.expect_log(code);
        }
        assert_eq!(httpd.get("/files/missing").send().status, 404);
        assert_eq!(httpd.get("/dir/").send().status, 403);
    }

    fn the_callable_is_chosen_per_directory(mode) {
        let httpd = Httpd::new("callable")
            .file("apps/a.wsgi", TWO_CALLABLES)
            .conf(
                "WSGIScriptAlias /a {root}/apps/a.wsgi\nWSGIScriptAlias /b {root}/apps/a.wsgi\n\
                 <Location /b>\nWSGICallableObject other\n</Location>\n\
                 <Location /c>\nSetHandler wsgi-script\n</Location>",
            )
            .mode(mode)
            .start();
        assert_eq!(httpd.get("/a").send().text(), "application /a|");
        assert_eq!(httpd.get("/b").send().text(), "other /b|");
    }

    fn handlers_need_execution_to_be_allowed(mode) {
        let httpd = Httpd::new("handlers")
            .file("htdocs/yes/a.wsgi", TWO_CALLABLES)
            .file("htdocs/no/a.wsgi", TWO_CALLABLES)
            .conf(
                "AddHandler wsgi-script .wsgi\n\
                 <Directory {root}/htdocs/yes>\nOptions ExecCGI\n</Directory>",
            )
            .mode(mode)
            .start();
        assert_eq!(httpd.get("/yes/a.wsgi/x").send().text(), "application /yes/a.wsgi|/x");
        httpd.expect_log("WSGI0134");
        assert_eq!(httpd.get("/no/a.wsgi").send().status, 403);
    }

    fn virtual_hosts_have_their_own_aliases(mode) {
        let httpd = Httpd::new("hosts")
            .file("apps/a.wsgi", TWO_CALLABLES)
            .conf(
                "WSGIScriptAlias /shared {root}/apps/a.wsgi\n\
                 <VirtualHost *:{port}>\nServerName one.example\n\
                 WSGIScriptAlias /app {root}/apps/a.wsgi\n</VirtualHost>\n\
                 <VirtualHost *:{port}>\nServerName two.example\n\
                 WSGIScriptAlias /app {root}/apps/a.wsgi callable-object=other\n</VirtualHost>",
            )
            .mode(mode)
            .start();
        let text = |host: &str, path: &str| httpd.get(path).header("Host", host).send().text();
        assert_eq!(text("one.example", "/app"), "application /app|");
        assert_eq!(text("two.example", "/app"), "other /app|");
        assert_eq!(text("two.example", "/shared"), "application /shared|");
    }
}

fn group_of(httpd: &Httpd, path: &str) -> Value {
    let reply = httpd.get(path).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["mod_wsgi.process_group"].clone()
}

#[test]
fn the_process_group_may_be_named_in_many_ways() {
    let httpd = Httpd::new("process-group")
        .conf(
            "WSGIDaemonProcess one threads=2 python-home={home}\n\
             WSGIDaemonProcess two threads=2 python-home={home}\n\
             WSGIPythonHome {home}\n\
             WSGIProcessGroup one\n\
             SetEnvIf Request_URI ^/by-env which=two\n\
             WSGIScriptAlias /by-option {apps}/environ.wsgi process-group=two\n\
             WSGIScriptAlias /embedded {apps}/environ.wsgi process-group=%{GLOBAL}\n\
             WSGIScriptAlias /by-env {apps}/environ.wsgi process-group=%{ENV:which}\n\
             WSGIScriptAlias /by-section {apps}/environ.wsgi\n\
             WSGIScriptAlias / {apps}/environ.wsgi\n\
             <Location /by-section>\nWSGIProcessGroup two\n</Location>",
        )
        .module("setenvif")
        .start();
    assert_eq!(group_of(&httpd, "/"), "one");
    assert_eq!(group_of(&httpd, "/by-option"), "two");
    assert_eq!(group_of(&httpd, "/by-env"), "two");
    assert_eq!(group_of(&httpd, "/by-section"), "two");
    assert_eq!(group_of(&httpd, "/embedded"), "");
}

#[test]
fn a_group_that_turns_out_to_be_unknown_is_a_500() {
    let httpd = Httpd::new("unknown-group")
        .app("environ.wsgi")
        .conf("WSGIProcessGroup %{ENV:nothing}")
        .mode(Mode::Daemon)
        .start();
    httpd.expect_log(
        "WSGI0240: the process group is named by the variable \"nothing\" (%{ENV:nothing}), which \
         is not set",
    );
    assert_eq!(httpd.get("/").send().status, 500);
}

#[test]
fn a_group_of_another_virtual_host_is_out_of_reach() {
    let httpd = Httpd::new("foreign-group")
        .conf(
            "<VirtualHost *:{port}>\nServerName one.example\n\
             WSGIDaemonProcess one threads=1 python-home={home}\n\
             WSGIScriptAlias / {apps}/environ.wsgi process-group=one\n</VirtualHost>\n\
             <VirtualHost *:{port}>\nServerName two.example\n\
             SetEnv group one\nWSGIProcessGroup %{ENV:group}\n\
             WSGIScriptAlias / {apps}/environ.wsgi\n</VirtualHost>",
        )
        .start();
    let status = |host: &str| httpd.get("/").header("Host", host).send().status;
    assert_eq!(status("one.example"), 200);
    httpd.expect_log("WSGI0152");
    assert_eq!(status("two.example"), 500);
}

#[test]
fn restricted_embedded_mode_says_what_to_do() {
    let httpd = Httpd::new("restricted")
        .app("environ.wsgi")
        .conf("WSGIRestrictEmbedded On")
        .mode(Mode::Embedded)
        .start();
    httpd.expect_log("WSGI0143");
    assert_eq!(httpd.get("/").send().status, 500);
    let lines = httpd.log_lines("WSGI0143");
    assert_eq!(lines.len(), 1);
    for part in ["environ.wsgi", "localhost", "WSGIProcessGroup"] {
        assert!(lines[0].text.contains(part), "{}", lines[0]);
    }
}

/// A name from the configuration shows where it begins and ends, however odd it is.
#[test]
fn names_in_messages_are_quoted() {
    Httpd::configtest("WSGIProcessGroup keystone-ssl;;").assert_refused(
        "there is no process group \"keystone-ssl;;\"; define it with \
         WSGIDaemonProcess \"keystone-ssl;;\"",
    );
    let httpd = Httpd::new("quoted")
        .conf("WSGIProcessGroup %{GLOBALS}\nWSGIScriptAlias / {apps}/environ.wsgi")
        .start();
    httpd.expect_log(
        "WSGI0241: the name \"%{GLOBALS}\" of a process group is none of the placeholders",
    );
    assert_eq!(httpd.get("/").send().status, 500);
}

//! `mod_wsgi.so`: WSGI under httpd, without any Python in it.
//!
//! This crate wires the rules of `wsgi` to httpd's hooks. This file has the module's record, and
//! what httpd calls.
//!
//! - `config`: what httpd keeps of the configuration, and what follows from it before there are
//!   requests;
//! - `check`, `dump`: its mistakes, and `httpd -t -D DUMP_WSGI`;
//! - `wsgid`: starting the supervisor, and asking it to look at files and Pythons;
//! - `lifecycle`: the process groups of a configuration from start to end: generation, queue,
//!   route;
//! - `request`: where a request runs, whether it may (`access`, `rejection`), its head, environ and
//!   body;
//! - `relay`: a request that a worker serves; `embedded`: one that the engine serves in this
//!   process;
//! - `hooks`: scripts that decide about access, users, groups and dispatching;
//! - `sys`: all unsafe code, with the exported record.

mod check;
mod clock;
mod config;
mod dump;
mod embedded;
mod heap;
mod hooks;
mod lifecycle;
mod relay;
mod request;
mod scoreboard;
mod sys;
mod wsgid;

use httpd::{
    Command, Module, Order, PanicLog, Pool, Record, Request, RunMode, Server, SourceLine,
    StartPass, Status, Unusable,
};
use wsgi::codes::{self, Message};
use wsgi::level::Level;
use wsgi::printable::printable;
use wsgi::protocol::log_line::LogLine;

use crate::config::store::{DirConfig, ServerConfig};

/// The name by which `<IfModule>` finds the module, as mod_wsgi.
const SOURCE_NAME: &core::ffi::CStr = c"mod_wsgi.c";

/// The module.
pub(crate) struct Wsgi;

impl Module for Wsgi {
    type Server = ServerConfig;
    type Dir = DirConfig;
    type Request = hooks::KnownGroups;

    const TRANSLATE_ORDER: Order = sys::TRANSLATE_ORDER;

    fn record() -> &'static Record<Self> {
        sys::record()
    }

    fn create_server() -> ServerConfig {
        ServerConfig::default()
    }

    fn merge_server(_base: &ServerConfig, over: &ServerConfig) -> ServerConfig {
        // The settings of a virtual host stay apart from those of the main server: aliases are
        // searched in both, one after the other, and the rest is said in the main server only.
        over.clone()
    }

    fn create_dir(_path: Option<&[u8]>) -> DirConfig {
        DirConfig::default()
    }

    fn merge_dir(base: &DirConfig, over: &DirConfig) -> DirConfig {
        over.over(base)
    }

    fn directive(
        which: usize,
        arguments: &str,
        command: &Command<'_>,
        server: &mut ServerConfig,
        dir: &mut DirConfig,
    ) -> Result<httpd::Read, String> {
        config::store::directive(which, arguments, command, server, dir)
    }

    fn section_end(server: &mut ServerConfig) {
        config::store::section_end(server);
    }

    fn check_config(server: Server<'_>) -> Result<(), Unusable> {
        check::check(server)
    }

    fn test_config(server: Server<'_>) {
        dump::test(server);
    }

    fn post_config(pool: Pool<'_>, server: Server<'_>) -> Result<(), Unusable> {
        sys::keep_heap_over_forks();
        if httpd::start_pass() == StartPass::Check || httpd::run_mode() == RunMode::Test {
            return Ok(());
        }
        let begun = embedded::parent::begin(server)
            .and_then(|()| lifecycle::generation::begin(pool, server));
        begun.map_err(|message| {
            log_at_startup(server, &message);
            Unusable
        })
    }

    fn child_init(pool: Pool<'_>, server: Server<'_>) {
        lifecycle::generation::enter_child(server);
        embedded::parent::enter_child(server);
        embedded::enter_child(pool, server);
    }

    fn monitor(server: Server<'_>) {
        lifecycle::generation::watch(server);
    }

    fn translate_name(request: &mut Request<'_>) -> Status {
        request::dispatch::translate(request)
    }

    fn handler(request: &mut Request<'_>) -> Status {
        let status = request::dispatch::handle(request);
        if request.is_answered() { Status::Ok } else { status }
    }

    fn panicked(log: PanicLog<'_, '_>, doing: &str, panic: &str) {
        let message = codes::internal_error(doing, panic);
        match log {
            PanicLog::Startup(server) => log_at_startup(server, &message),
            PanicLog::Server(server) => self::log(&server, &message),
            PanicLog::Request(request) => self::log(request, &message),
        }
    }
}

/// Writes a message into a request's or server's error log as this module.
pub(crate) fn log(to: &impl httpd::ErrorLog, message: &Message) {
    let (index, level) = (sys::record().index(), message.level().number());
    if level <= to.log_level(index) {
        to.line(index, level, message.to_string().as_bytes());
    }
}

/// Writes a message that an administrator sees on the terminal, too.
pub(crate) fn log_at_startup(server: Server<'_>, message: &Message) {
    let level = message.level().number();
    httpd::startup_line(server, sys::record().index(), level, message.to_string().as_bytes());
}

/// Writes a line that needs no code, and is shown by default, into a server's error log.
pub(crate) fn notice(to: &impl httpd::ErrorLog, text: &str) {
    to.line(sys::record().index(), Level::Notice.number(), text.as_bytes());
}

/// Writes a line that needs no code into a request's or server's error log.
pub(crate) fn info(to: &impl httpd::ErrorLog, text: &str) {
    to.line(sys::record().index(), Level::Info.number(), text.as_bytes());
}

/// Writes a line of the engine's into a request's error log, after the path of its script: several
/// may share a log.
pub(crate) fn log_of_script(request: &Request<'_>, line: &LogLine<'_>) {
    log_of(request, request.filename().unwrap_or_default(), line);
}

/// As [`log_of_script`], for any script.
pub(crate) fn log_of(request: &Request<'_>, script: &[u8], line: &LogLine<'_>) {
    let text = [b"[script ", script, b"] ", line.text].concat();
    log_line(request, &LogLine { text: &text, ..*line });
}

/// Writes a line of the engine's into a request's or server's error log.
pub(crate) fn log_line(to: &impl httpd::ErrorLog, line: &LogLine<'_>) {
    // httpd escapes the text, and not the place.
    let file = &*printable(line.source.file, &[]);
    let place = SourceLine { file, line: line.source.line };
    to.line_from(sys::record().index(), line.level.number(), place, line.text);
}

//! Messages about process groups: processes that do not start, do not end, or end too early.

use std::fmt::Display;
use std::time::Duration;

use super::catalogue;

catalogue! {
    WSGI0012 Crit queue_not_made(error: &dyn Display) {
        text: "the queue cannot be made: {error}; each process group takes two descriptors of \
            httpd's parent (ulimit -n)",
        meaning: "httpd's parent cannot make the sockets that requests to the group wait in.",
        remedy: "Raise the limit of open files for httpd.",
        client: "httpd does not start.",
    }
    WSGI0220 Error process_hangs(process: &str, pid: &str, doing: &str, seconds: u64, next: &str) {
        text: "{process} {pid} hangs in {doing} for {seconds} seconds and is killed; a file system \
            may not answer (FUSE, NFS): mend or unmount it, or name other paths{next}",
        meaning: "A new process of the group has not come to execute Python, which takes \
            milliseconds.",
        remedy: "Look after the file system that the named path is on.",
        client: "Status 503 while no worker is ready.",
    }
    WSGI0221 Error process_left_behind(process: &str, pid: &str) {
        text: "{process} {pid} was killed and does not end: it hangs in the kernel and is left \
            behind; a file system may not answer (FUSE, NFS): mend or unmount it, or name other \
            paths",
        meaning: "Not even SIGKILL ends a process that waits in the kernel. The group goes on \
            without it.",
        remedy: "Look after the file system; the process ends when that answers.",
        client: "Not affected.",
    }
    WSGI0222 Error control_messages_invalid(process: &str, pid: &str, descriptor: i32, next: &str) {
        text: "{process} {pid} sends control messages that make no sense and is killed: something \
            in the application may write to descriptor {descriptor}; {next}",
        meaning: "The socket between the process and `wsgid` carries messages that no worker \
            sends.",
        remedy: "Find out which code writes to descriptors that are not its own.",
        client: "Status 502 for requests that the process served.",
    }
    WSGI0223 Warning workers_end_early(delay: Duration) {
        text: "workers end, or want to be replaced, as soon as they are ready, one after the \
            other: something in the application may end its process, or a limit such as \
            recycle-memory= may be too low; the next one starts in {delay:.1?}",
        meaning: "Workers are replaced with growing delay, since starting them costs more than \
            they do.",
        remedy: "Lines at the level `info` say why each of them ends.",
        client: "Requests wait longer; status 503 where WSGI0211 is logged.",
    }
    WSGI0224 Error too_many_drain(count: usize) {
        text: "{count} workers are to end and have not ended: no more are started until one has; \
            graceful-timeout and shutdown-timeout say how long they may take",
        meaning: "Workers that were replaced still serve requests or hang. More of them would fill \
            the machine.",
        remedy: "Find out what they do, or shorten those limits.",
        client: "Requests wait until a worker can be started.",
    }
    WSGI0228 Error cannot_start(process: &str, error: &dyn Display, delay: Duration) {
        text: "cannot start a {process}: {error}; the next try is in {delay:.1?}",
        meaning: "The process could not be made, or could not execute the group's Python.",
        remedy: "The error names the option or path to mend. The next try needs no restart of \
            httpd.",
        client: "Status 503 while no worker is ready (WSGI0211).",
    }
    WSGI0229 Error ended_before_ready(process: &str, pid: &str, status: &str, next: &str) {
        text: "{process} {pid} ended before it was ready ({status}); {next}",
        meaning: "Python was started, and the process has ended before it could serve. Lines \
            before this one say why.",
        remedy: "Look at those lines; without any, run the group's Python by hand as its user.",
        client: "Status 503 while no worker is ready (WSGI0211).",
    }
    WSGI0230 Error worker_ended(pid: &str, status: &str, next: &str) {
        text: "worker {pid} ended ({status}); {next}",
        meaning: "A worker has crashed, was killed, or the application has ended it.",
        remedy: "A signal such as SIGSEGV is a fault of an extension module: `import faulthandler; \
            faulthandler.enable()` shows where. SIGKILL comes from an administrator, or from the \
            kernel for want of memory, which the line says if it is known.",
        client: "Status 502 for the requests that it served (WSGI0146).",
    }
    WSGI0231 Error worker_crashed(pid: &str, status: &dyn Display) {
        text: "worker {pid} has crashed while it ended ({status})",
        meaning: "A worker that was to end was ended by a signal instead of ending by itself.",
        remedy: "It is usually an extension module whose threads go on while Python ends.",
        client: "Not affected, unless requests were still running.",
    }
    WSGI0269 Error template_ended(pid: i32, status: &dyn Display) {
        text: "template {pid} has ended ({status}); its workers go on",
        meaning: "The template was killed or has crashed. Another one is started.",
        remedy: "Nothing, if it was killed on purpose. Otherwise see WSGI0230.",
        client: "Not affected.",
    }
    WSGI0270 Error not_ready(process: &str, pid: &str, seconds: u64, next: &str) {
        text: "{process} {pid} was not ready within startup-timeout={seconds} and is killed{next}",
        meaning: "The imports of the process hang or take long.",
        remedy: "Find out what they wait for, or raise `startup-timeout=`.",
        client: "Status 503 while no worker is ready.",
    }
    WSGI0271 Warning template_slow(pid: i32, seconds: u64) {
        text: "template {pid} is not ready after {seconds} seconds: its imports may hang; it is \
            replaced when its script changes, and startup-timeout= sets a limit",
        meaning: "The group has no `startup-timeout=`, so the template is left to load.",
        remedy: "Find out what the imports wait for.",
        client: "Status 503 while no worker is ready.",
    }
    WSGI0272 Error template_stuck(pid: i32, within: &str, delay: Duration) {
        text: "template {pid} has forked no worker within {within} and is killed: a hook of \
            os.register_at_fork may hang; the next one starts in {delay:.1?}",
        meaning: "Forking takes milliseconds. A function that Python code has registered to run at \
            a fork does not return.",
        remedy: "Find that code, or use `preload=off`.",
        client: "Requests wait for a worker.",
    }
    WSGI0273 Warning worker_not_ended(pid: &str, graceful: u64, shutdown: u64) {
        text: "worker {pid} did not end within graceful-timeout={graceful} and \
            shutdown-timeout={shutdown} and is killed",
        meaning: "The worker was asked to end, and did not within both limits.",
        remedy: "Find out what its requests or its `atexit` functions wait for, or raise the \
            limits.",
        client: "Status 502 for requests that it still served.",
    }
    WSGI0274 Warning change_not_preloaded() {
        text: "the changed script cannot be preloaded: running workers serve on until it changes \
            again",
        meaning: "A script was changed, and the new one cannot be loaded; lines before this one \
            say why.",
        remedy: "Correct the script. It is looked at again when it changes.",
        client: "Responses of the script as it was.",
    }
    WSGI0275 Warning preloading_given_up() {
        text: "less is preloaded, and workers load the rest by themselves",
        meaning: "Preloaded code has started threads (WSGI0264), which a fork does not copy. The \
            group works, and shares less memory.",
        remedy: "As WSGI0264.",
        client: "Not affected.",
    }
    WSGI0276 Warning application_not_preloaded() {
        text: "an application cannot be preloaded: workers load it by themselves until its script \
            changes",
        meaning: "A script cannot be loaded; lines before this one say why.",
        remedy: "Correct the script. It is looked at again when it changes.",
        client: "Status 500 as long as the script cannot be loaded.",
    }
    WSGI0277 Error scripts_not_looked_at(error: &dyn Display, pause: Duration) {
        text: "scripts cannot be looked at: {error}; running workers serve on, and the next try is \
            in {pause:.0?}",
        meaning: "Whether the preloaded scripts have changed is found out by a process of the \
            group's user, which cannot be started.",
        remedy: "The error says what is missing.",
        client: "Responses of the scripts as they were.",
    }
    WSGI0278 Alert false_worker(pid: i32) {
        text: "process {pid} says that it is a worker, but is no child of wsgid, or is known \
            already; it is left alone",
        meaning: "The first message on a new control socket came from a process that the template \
            has not forked.",
        remedy: "Find out which code of the group's user writes to descriptors that are not its \
            own.",
        client: "Not affected.",
    }
    WSGI0279 Alert queue_shut_down() {
        text: "one of its processes has shut its queue down; a graceful restart of httpd makes a \
            new one",
        meaning: "The socket that requests come in by cannot be used any more (WSGI0117).",
        remedy: "Restart httpd gracefully, and find out which code of the application closes or \
            shuts down descriptors that are not its own.",
        client: "Status 503.",
    }
    WSGI0280 Error refusals_not_begun(error: &dyn Display) {
        text: "requests that wait cannot be refused: no process can be started for that: {error}; \
            the next one is tried in a second",
        meaning: "The group has no worker (WSGI0211), and those that came before that was known go \
            on waiting.",
        remedy: "The error says what the system is short of.",
        client: "Status 503, later than otherwise.",
    }
    WSGI0281 Error wsgid_ended(pid: i32, status: &dyn Display) {
        text: "wsgid {pid} has ended unasked ({status}); it is started again",
        meaning: "The supervisor was killed or has failed. Its workers finish what they have \
            begun, and end.",
        remedy: "Nothing, if it was killed on purpose. Otherwise report it with the lines around \
            this one.",
        client: "A wait, until new workers are ready.",
    }
    WSGI0282 Error wsgid_not_restarted(error: &dyn Display) {
        text: "wsgid cannot be started again: {error}; its process groups do not answer",
        meaning: "It is tried again every ten seconds or so.",
        remedy: "The error says what is missing. `mod_wsgi.so`, `wsgid` and `_mod_wsgi.abi3.so` \
            lie in one directory.",
        client: "Requests wait, then status 503.",
    }
    WSGI0283 Alert group_not_started(problem: &str) {
        text: "process groups cannot be started: {problem}",
        meaning: "`wsgid` says what it lacks for one of the groups, or for all. A server that runs \
            goes on without them.",
        remedy: "The message says what is missing. Then restart httpd gracefully.",
        client: "At start, httpd does not start. Later: status 503.",
    }
    WSGI0284 Crit wsgid_not_started(error: &dyn Display) {
        text: "wsgid cannot be started: {error}",
        meaning: "httpd's parent cannot start the process that starts workers.",
        remedy: "The error says what the system is short of.",
        client: "httpd does not start.",
    }
    WSGI0285 Crit wsgid_input_invalid(error: &dyn Display) {
        text: "wsgid cannot read what it is to do: {error}",
        meaning: "`wsgid` takes its orders from `mod_wsgi.so` on standard input, and was started \
            by hand or by another version.",
        remedy: "Install both from one build, and restart httpd.",
        client: "httpd does not start.",
    }
    WSGI0286 Crit wsgid_report_lost(error: &dyn Display) {
        text: "wsgid cannot write what it has found out: {error}",
        meaning: "httpd's parent has gone, or does not listen.",
        remedy: "Nothing, if httpd was just stopped.",
        client: "Not affected.",
    }
}

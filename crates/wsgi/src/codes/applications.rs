//! Messages about what applications do, and about the interpreters that they run in.

use std::fmt::Display;

use super::catalogue;

catalogue! {
    WSGI0089 Error no_callable(callable: &str, script: &str) {
        text: "there is no {callable:?} in {script}; define it, or set WSGICallableObject to the \
            name that is there",
        meaning: "The script was loaded, and has no such global name.",
        remedy: "Define it; frameworks call it `app` or `application`.",
        client: "Status 500; in embedded mode 404, as with mod_wsgi.",
    }
    WSGI0094 Error site_not_added(directory: &str, error: &dyn Display) {
        text: "site.addsitedir() failed for {directory:?}: {error}",
        meaning: "A directory of `python-path=` or `WSGIPythonPath` has a `.pth` file that raises. \
            The directory is on `sys.path` all the same.",
        remedy: "Mend or remove that file.",
        client: "Not affected.",
    }
    WSGI0097 Error threads_not_joined() {
        text: "joining the interpreter's threads raised an exception",
        meaning: "`threading` failed when the process ended. The traceback follows.",
        remedy: "Look at the traceback.",
        client: "Not affected.",
    }
    WSGI0098 Error atexit_failed() {
        text: "a function registered with atexit raised an exception",
        meaning: "The traceback follows. Other such functions are called all the same.",
        remedy: "Look at the traceback.",
        client: "Not affected.",
    }
    WSGI0103 Error no_interpreter(group: &str, error: &dyn Display) {
        text: "no interpreter for the application group {group:?}: {error}",
        meaning: "The sub-interpreter cannot be made or set up. It is tried again at the next \
            request.",
        remedy: "The error says what Python lacks. A module that does not work in sub-interpreters \
            needs `WSGIApplicationGroup %{GLOBAL}`.",
        client: "Status 500.",
    }
    WSGI0104 Error event_not_published(event: &str) {
        text: "the event {event:?} cannot be published",
        meaning: "The subscribers of the event were not told of it. The traceback follows.",
        remedy: "Look at the traceback.",
        client: "Not affected.",
    }
    WSGI0105 Error script_not_compiled(step: &str, script: &str, error: &dyn Display) {
        text: "cannot {step} {script}: {error}",
        meaning: "The file of the script cannot be read or is no Python source. A traceback may \
            follow.",
        remedy: "Correct the file, or see to it that the user of the process can read it.",
        client: "Status 500.",
    }
    WSGI0107 Error script_exited(script: &str) {
        text: "SystemExit was raised while loading {script}",
        meaning: "The script, or what it imports, calls `sys.exit()`. The process goes on.",
        remedy: "Keep the call for when the script is run as a program: `if __name__ == \
            '__main__':`.",
        client: "Status 500.",
    }
    WSGI0109 Error script_not_loaded(script: &str) {
        text: "cannot load {script}",
        meaning: "The script has raised an exception while it was loaded; WSGI0174 and the \
            traceback follow. Loading it is tried again at the next request.",
        remedy: "Look at the traceback. A module that is not found may need `python-home=` or \
            `python-path=`.",
        client: "Status 500.",
    }
    WSGI0112 Error callback_raised(class: &str, event: &str) {
        text: "exception {class} raised by a callback of {event} was ignored",
        meaning: "A callback given to `mod_wsgi.subscribe_events()` or its kin has failed. The \
            traceback follows.",
        remedy: "Look at the traceback.",
        client: "Not affected.",
    }
    WSGI0174 Error raised(class: &str, by: &str) {
        text: "exception {class} raised by {by}",
        meaning: "The traceback follows, one line each.",
        remedy: "Look at the traceback.",
        client: "Status 500, or a response that is cut short if it had begun.",
    }
    WSGI0175 Error exited(by: &str) {
        text: "SystemExit raised by {by} was ignored",
        meaning: "An application cannot end the process that it runs in. The traceback follows.",
        remedy: "Have it raise another exception, or none.",
        client: "Status 500, or a response that is cut short if it had begun.",
    }
    WSGI0188 Error interpreter_not_set_up(error: &dyn Display) {
        text: "the main interpreter cannot be set up: {error}",
        meaning: "Python runs, and something that applications need of it cannot be made.",
        remedy: "The error says what Python lacks. An installation that is not complete is a usual \
            cause.",
        client: "Status 500, or 503 from a process group.",
    }
    WSGI0190 Error callback_exited(event: &str) {
        text: "SystemExit raised by a callback of {event} was ignored",
        meaning: "As WSGI0112.",
        remedy: "Look at the traceback.",
        client: "Not affected.",
    }
    WSGI0198 Warning no_own_gil() {
        text: "WSGIPerInterpreterGIL has no effect before Python 3.12",
        meaning: "Sub-interpreters of this Python share one GIL.",
        remedy: "Use a later Python, or take the directive away.",
        client: "Not affected.",
    }
    WSGI0205 Warning switch_interval_shared(group: &str) {
        text: "WSGISwitchInterval for the application group {group:?} has no effect: it shares its \
            GIL with others (see WSGIPerInterpreterGIL)",
        meaning: "All interpreters that share a GIL have one switch interval.",
        remedy: "Set it for the whole process, or give the group a GIL of its own.",
        client: "Not affected.",
    }
    WSGI0243 Error fork_in_sub_interpreter(place: &str, group: &str) {
        text: "{place}, application group {group:?}: os.fork() in a sub-interpreter, where CPython \
            ends the new process; set WSGIApplicationGroup %{{GLOBAL}} to run the application in \
            the main interpreter",
        meaning: "Python code forks (`os.fork()`, `multiprocessing` with the start method fork), \
            and CPython ends the new process at once with a fatal error.",
        remedy: "Run the application in the main interpreter, or have it start programs with \
            `subprocess`.",
        client: "What the application makes of it.",
    }
    WSGI0244 Warning slow_request(
        request: &str, took: f64, waited: &str, status: &str, limit: f64
    ) {
        text: "slow request: {request} took {took:.3} s{waited}, {status} (WSGISlowRequests \
            {limit})",
        meaning: "The request took longer than `WSGISlowRequests` says.",
        remedy: "Find out what it waits for; WSGI0256 has shown its stack while it ran.",
        client: "A response that took its time.",
    }
    WSGI0245 Warning hop_by_hop_header(name: &str, fate: &str) {
        text: "the application sends the hop-by-hop header {name:?}, which PEP 3333 leaves to the \
            server; remove it there. It is {fate}, and this is said once",
        meaning: "Headers such as `Connection` are between two neighbours on the way, and httpd \
            makes its own.",
        remedy: "Remove the header in the application.",
        client: "The response without the header, or with it.",
    }
}

//! Messages of workers and templates, and of the engine in httpd's children.

use std::fmt::Display;

use super::catalogue;

catalogue! {
    WSGI0002 Crit no_python_for_imports(error: &dyn Display) {
        text: "scripts cannot be imported, since Python cannot be loaded: {error}",
        meaning: "`WSGIImportScript` is to import scripts into httpd's children, and they cannot \
            load Python.",
        remedy: "See WSGI0210.",
        client: "Nothing, until a request needs Python: status 500.",
    }
    WSGI0018 Crit queue_not_watched(error: &dyn Display) {
        text: "no request can be taken ({error}); the process is replaced",
        meaning: "The worker cannot wait for requests, or cannot receive them.",
        remedy: "The error says what the system is short of.",
        client: "Not affected: requests go to other workers.",
    }
    WSGI0022 Alert thread_not_started(number: u32, error: &dyn Display) {
        text: "request thread {number} cannot be started: {error}",
        meaning: "The worker cannot have as many threads as `threads=` says, and ends.",
        remedy: "Raise the limit of threads of the user or its cgroup (`ulimit -u`, `TasksMax=`), \
            or lower `threads=` or `stack-size=`.",
        client: "Status 503 while no worker is ready.",
    }
    WSGI0024 Error fork_failed(error: &dyn Display) {
        text: "no worker can be forked: {error}",
        meaning: "The template cannot fork, or a function given to `os.register_at_fork()` has \
            raised.",
        remedy: "Raise the limit of processes of the user or its cgroup if the error says so.",
        client: "Requests wait for a worker.",
    }
    WSGI0033 Alert sender_unknown(error: &dyn Display) {
        text: "the sender of a request is unknown: {error}",
        meaning: "The kernel does not say which user has made the socket of a request. It is \
            refused.",
        remedy: "Report it with this line.",
        client: "Status 503 with WSGI0124: each worker that is asked refuses it.",
    }
    WSGI0034 Alert sender_refused(user: u32) {
        text: "a request from user {user} is refused",
        meaning: "The socket of a request was made by a user who is none of httpd's.",
        remedy: "Find out which process of that user has got hold of the group's queue.",
        client: "None of httpd's.",
    }
    WSGI0062 Warning send_buffer_not_set(bytes: usize, error: &dyn Display) {
        text: "send-buffer-size={bytes}: {error}",
        meaning: "The kernel does not give the socket of a request a buffer of that size.",
        remedy: "Choose another size.",
        client: "Status 503 with WSGI0124: each worker that is asked refuses it.",
    }
    WSGI0067 Warning no_stacks(error: &dyn Display) {
        text: "stacks of threads cannot be shown: {error}",
        meaning: "Python's module `faulthandler` cannot be used. Limits hold all the same.",
        remedy: "The error says what Python lacks.",
        client: "Not affected.",
    }
    WSGI0069 Error deadlocks_not_noticed(error: &dyn Display) {
        text: "deadlocks are not noticed: {error}",
        meaning: "The thread that tries to acquire the GIL cannot be started. It is tried again.",
        remedy: "Raise the limit of threads of the user or its cgroup (`ulimit -u`, `TasksMax=`).",
        client: "Not affected.",
    }
    WSGI0070 Warning end_without_limit(error: &dyn Display) {
        text: "the shutdown has no time limit: {error}",
        meaning: "The thread that ends the process after `shutdown-timeout` cannot be started. \
            `wsgid` kills the process instead, when `graceful-timeout` is over as well, unless \
            `shutdown-timeout` is 0.",
        remedy: "Raise the limit of threads of the user or its cgroup (`ulimit -u`, `TasksMax=`).",
        client: "Not affected.",
    }
    WSGI0076 Error cpu_time_not_limited(limit: u64, error: &dyn Display) {
        text: "cpu-time-limit={limit} cannot be set: {error}",
        meaning: "The kernel refuses the limit, and the worker ends.",
        remedy: "Choose another value.",
        client: "Status 503.",
    }
    WSGI0077 Error memory_not_limited(limit: u64, error: &dyn Display) {
        text: "memory-limit={limit} cannot be set: {error}",
        meaning: "The kernel refuses the limit, and the worker ends.",
        remedy: "Choose another value.",
        client: "Status 503.",
    }
    WSGI0078 Error virtual_memory_not_limited(limit: u64, error: &dyn Display) {
        text: "virtual-memory-limit={limit} cannot be set: {error}",
        meaning: "The kernel refuses the limit, and the worker ends.",
        remedy: "Choose another value.",
        client: "Status 503.",
    }
    WSGI0080 Error request_unreadable(error: &dyn Display) {
        text: "a request cannot be read: {error}",
        meaning: "A message from a child of httpd is not what it should be, or was cut off.",
        remedy: "Install `mod_wsgi.so`, `wsgid` and `_mod_wsgi.abi3.so` from one build, and \
            restart httpd.",
        client: "Status 502.",
    }
    WSGI0084 Error waited_too_long(limit: u64, request: &str, group: &str) {
        text: "queue-timeout={limit}: {request} has waited too long until a process of the group \
            {group:?} took it",
        meaning: "All workers were busy for longer than `queue-timeout=` allows.",
        remedy: "Give the group more threads or processes, or find out why its requests take long.",
        client: "Status 504.",
    }
    WSGI0090 Error signals_not_caught(error: &dyn Display) {
        text: "signals cannot be caught: {error}",
        meaning: "The worker could not be told to end, and does not start.",
        remedy: "The error says what the system is short of.",
        client: "Status 503.",
    }
    WSGI0207 Error signals_not_passed_on(error: &dyn Display) {
        text: "signals are not passed on to subscribers: {error}",
        meaning: "The thread that calls what `mod_wsgi.subscribe_signals()` was given cannot be \
            started.",
        remedy: "Raise the limit of threads of the user or its cgroup (`ulimit -u`, `TasksMax=`).",
        client: "Not affected.",
    }
    WSGI0210 Error no_python(error: &dyn Display) {
        text: "no Python in this process: {error}",
        meaning: "A request needs embedded mode, and the child of httpd cannot load Python.",
        remedy: "Install the shared library of that Python (Debian: `libpython3`), name another \
            one with `WSGIPythonHome`, or use process groups, which need none.",
        client: "Status 500.",
    }
    WSGI0214 Error forked_process_ended(worker: i32) {
        text: "a process that the application has forked from worker {worker} came back from the \
            request that forked it, and is ended; end it in the application with os._exit()",
        meaning: "A forked process would mix its answer into that of the worker.",
        remedy: "End it with `os._exit()`, also when it raises.",
        client: "Not affected.",
    }
    WSGI0251 Crit requests_have_to_wait(error: &dyn Display) {
        text: "requests have to wait: {error}; the application may leave files open, or the limit \
            of open files is too low",
        meaning: "The worker has no free descriptor or no memory for another request.",
        remedy: "Find out which files stay open (`ls -l /proc/PID/fd`), or raise the limit.",
        client: "A response that took its time; other workers of the group serve on.",
    }
    WSGI0252 Alert message_refused() {
        text: "a message without a socket of its own is refused",
        meaning: "Something in the group's queue is no request. Children of httpd send nothing \
            else.",
        remedy: "Find out which process has got hold of the group's queue.",
        client: "None of httpd's.",
    }
    WSGI0253 Error no_time_limit(error: &dyn Display) {
        text: "the socket of a request gets no time limit: {error}",
        meaning: "The kernel refuses to set one. The request is not served.",
        remedy: "Report it with this line.",
        client: "Status 503 with WSGI0124: each worker that is asked refuses it.",
    }
    WSGI0254 Error process_not_started(problem: &dyn Display) {
        text: "this process cannot serve: {problem}",
        meaning: "A worker or template has started Python, and lacks something else. It ends.",
        remedy: "The message says what is missing.",
        client: "Status 503 while no worker is ready.",
    }
    WSGI0255 Warning forced_out(seconds: u64) {
        text: "did not end within shutdown-timeout={seconds}; forced out",
        meaning: "Requests, threads or `atexit` functions of the application did not end when the \
            process had to.",
        remedy: "Find out what they wait for, or raise `shutdown-timeout=`.",
        client: "Status 502 for requests that were still running.",
    }
    WSGI0256 Warning still_running(limit: f64, request: &str) {
        text: "WSGISlowRequests {limit}: {request} is still running",
        meaning: "The request has run for longer than `WSGISlowRequests` says. Further lines show \
            the stack of its thread.",
        remedy: "The stack shows what it waits for.",
        client: "A response that takes its time.",
    }
    WSGI0257 Warning interrupted(limit: u64, request: &str, grace: u64) {
        text: "request-timeout={limit}: {request} is interrupted, and has \
            interrupt-timeout={grace} seconds to end",
        meaning: "`mod_wsgi.RequestTimeout` is raised in the request. Further lines show the stack \
            of its thread.",
        remedy: "The stack shows what it waits for.",
        client: "Status 504, or what the application makes of the exception.",
    }
    WSGI0258 Error given_up(limit: u64, request: &str) {
        text: "request-timeout={limit}: {request} has taken too long; the process is replaced",
        meaning: "The request is answered for, and its worker ends when its other requests have. \
            Further lines show the stacks of all threads.",
        remedy: "The stacks show what it waits for.",
        client: "Status 504, or a response that is cut short.",
    }
    WSGI0259 Error deadlocked(limit: u64, requests: &str) {
        text: "deadlock-timeout={limit}: the GIL was not acquired for that long while {requests} \
            run; the process is replaced",
        meaning: "A thread keeps the GIL: an extension module, or code that cannot run in a \
            sub-interpreter. Further lines show the stacks of all threads.",
        remedy: "The stacks show who keeps it. `WSGIApplicationGroup %{GLOBAL}` helps where \
            sub-interpreters are the cause.",
        client: "Status 504, or a response that is cut short.",
    }
    WSGI0260 Error not_loaded(limit: u64, requests: &str) {
        text: "startup-timeout={limit}: no application was loaded for {requests}; the process is \
            replaced",
        meaning: "Loading the application hangs or fails again and again. Further lines show the \
            stacks of all threads.",
        remedy: "The stacks show what it waits for.",
        client: "Status 504.",
    }
    WSGI0261 Error not_interrupted(error: &dyn Display) {
        text: "a request is not interrupted: {error}",
        meaning: "The thread that raises the exception of WSGI0257 cannot be started.",
        remedy: "Raise the limit of threads of the user or its cgroup (`ulimit -u`, `TasksMax=`).",
        client: "As WSGI0258.",
    }
    WSGI0262 Warning nothing_to_run() {
        text: "it has no request threads and nothing to run; name a script with WSGIImportScript",
        meaning: "A group with `threads=0` runs what it imports, and nothing is imported into this \
            one.",
        remedy: "Name a script, or give the group threads.",
        client: "Not affected.",
    }
    WSGI0263 Error module_not_preloaded(name: &str) {
        text: "preload-modules: {name:?} cannot be imported",
        meaning: "The traceback follows. The group goes on without the module.",
        remedy: "Look at the traceback, or take the name away.",
        client: "Not affected.",
    }
    WSGI0264 Warning threads_preloaded(threads: &str) {
        text: "preloaded code has started threads, which a fork does not copy{threads}; workers \
            load by themselves what they need. Start threads with the first request",
        meaning: "A template has to be alone in its process. Less is preloaded (WSGI0275).",
        remedy: "Start threads with the first request, or keep libraries from starting theirs.",
        client: "Not affected.",
    }
    WSGI0265 Warning socket_left_open(descriptor: i32, here: &dyn Display, there: &str) {
        text: "preloaded code has left a socket open (descriptor {descriptor}, {here}, {there}), \
            which all workers share; open it with the first request, or close it in \
            os.register_at_fork",
        meaning: "All workers would speak to a database or another server on the same connection.",
        remedy: "Open the connection with the first request, or close it before forks.",
        client: "Not affected, or data of others.",
    }
    WSGI0266 Warning code_not_gathered(error: &dyn Display) {
        text: "warm-up: code was not gathered: {error}",
        meaning: "Workers share less memory than they could.",
        remedy: "Report it with this line.",
        client: "Not affected.",
    }
    WSGI0267 Warning warm_up_unmounted(path: &str) {
        text: "warm-up={path:?}: no application of the group is mounted there",
        meaning: "No `WSGIScriptAlias` that leads to the group has such a path.",
        remedy: "Correct the path.",
        client: "Not affected.",
    }
    WSGI0268 Warning warm_up_failed(path: &str, answer: &str) {
        text: "warm-up={path:?}: {answer}",
        meaning: "The request for the path that `warm-up=` names did not go well. Lines before \
            this one may say why.",
        remedy: "Name a path that answers without a session or a client, such as that of a health \
            check.",
        client: "Not affected.",
    }
}

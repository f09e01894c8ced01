//! Messages about the configuration, when httpd reads it and when it comes into use.

use std::fmt::Display;
use std::time::Duration;

use super::catalogue;

catalogue! {
    WSGI0001 Crit python_not_started(error: &dyn Display) {
        text: "WSGILazyInitialization Off: Python cannot be started: {error}",
        meaning: "httpd's parent is to start Python, and cannot.",
        remedy: "The error says what is missing; `WSGILazyInitialization On` leaves it to httpd's \
            children.",
        client: "httpd does not start. At a restart: status 500 in embedded mode.",
    }
    WSGI0079 Warning locale_missing(option: &str, value: &str) {
        text: "{option}={value:?} is not installed and has no effect; install it, or name one that \
            `locale -a` lists",
        meaning: "The processes of the group have the locale `C` instead.",
        remedy: "Install the locale, or name another one.",
        client: "Nothing, or messages in another language.",
    }
    WSGI0287 Error group_defined_twice(group: &str, first: &dyn Display) {
        text: "the process group {group:?} is already defined at {first}; give one of them another \
            name",
        meaning: "Names of process groups are one list for all virtual hosts.",
        remedy: "Give one of them another name.",
        client: "httpd does not start.",
    }
    WSGI0288 Error import_restricted() {
        text: "process-group=%{{GLOBAL}} is embedded mode, which WSGIRestrictEmbedded On disables; \
            name a process group, or take one of the two away",
        meaning: "`WSGIImportScript` would bring Python into httpd's children, which the \
            configuration forbids.",
        remedy: "Name a process group.",
        client: "httpd does not start.",
    }
    WSGI0289 Error nothing_to_preload(group: &str) {
        text: "preload=application: the configuration does not say which script runs in the \
            process group {group:?}; map one with WSGIScriptAlias, whose target is a file, or use \
            preload=interpreter with preload-modules=",
        meaning: "The template has to know its scripts before there are requests.",
        remedy: "Map the script with `WSGIScriptAlias`.",
        client: "httpd does not start.",
    }
    WSGI0290 Error sub_interpreter_preloaded(script: &str, group: &str) {
        text: "preload=application: {script:?} runs in the application group {group:?}, a \
            sub-interpreter, and those cannot be forked; set WSGIApplicationGroup %{{GLOBAL}}, or \
            use preload=interpreter",
        meaning: "CPython does not let sub-interpreters survive a fork.",
        remedy: "Run the application in the main interpreter.",
        client: "httpd does not start.",
    }
    WSGI0291 Error hook_without_threads(group: &str) {
        text: "the process group {group:?} has no request threads (threads=0), and answers \
            nothing; name another one",
        meaning: "A script for access, users, groups or dispatching is to be asked in a group that \
            serves no requests.",
        remedy: "Name a group with threads.",
        client: "httpd does not start.",
    }
    WSGI0292 Error hook_needs_python(reason: &dyn Display) {
        text: "httpd's children cannot ask it, since {reason}; name a process group with \
            process-group=",
        meaning: "A script for access, users, groups or dispatching is asked in httpd's children, \
            which cannot load Python.",
        remedy: "Name a process group, or install what is missing.",
        client: "httpd does not start. At a restart: the hook's refusal.",
    }
    WSGI0293 Warning script_closed(path: &str, section: &str, folder: &dyn Display) {
        text: "requests for {path:?} get status 403, since <Directory {section}> says Require all \
            denied; put Require all granted into <Directory \"{folder}\">",
        meaning: "The configuration lets no client have the script.",
        remedy: "Add the section that the line names.",
        client: "Status 403.",
    }
    WSGI0294 Warning path_left_out(path: &str, limit: Duration) {
        text: "{path:?} cannot be looked at within {limit:.0?}: its file system does not answer \
            (NFS, FUSE) and is not waited for; mend or unmount it, or name another path",
        meaning: "The check of the configuration does without the path, and takes it as it was \
            known before.",
        remedy: "Look after the file system.",
        client: "Nothing, until a request needs the path.",
    }
    WSGI0295 Error path_silent(path: &str, limit: Duration) {
        text: "{path:?} cannot be looked at within {limit:.0?}: its file system does not answer \
            (NFS, FUSE) and is not waited for; mend or unmount it, or name another path",
        meaning: "Nothing can be checked without the path, such as that of a Python.",
        remedy: "Look after the file system.",
        client: "httpd does not start. At a restart it goes on with what it has.",
    }
    WSGI0296 Error not_checked(error: &dyn Display) {
        text: "the configuration cannot be checked: {error}",
        meaning: "`wsgid check` could not be run or has not answered.",
        remedy: "The error says what is missing.",
        client: "httpd does not start. At a restart it goes on.",
    }
    WSGI0297 Warning embedded_mode_lost(problem: &dyn Display) {
        text: "embedded mode will not work: {problem}",
        meaning: "httpd's children cannot load Python. At the level `info` if no alias leads to \
            embedded mode, and `debug` if that is switched off.",
        remedy: "Install the shared library of that Python, name another one with \
            `WSGIPythonHome`, or use process groups.",
        client: "Status 500 for requests that run in embedded mode.",
    }
    WSGI0298 Warning no_effect(directive: &str, reason: &str) {
        text: "{directive} has no effect: {reason}",
        meaning: "The directive is accepted, since configurations have it, and changes nothing.",
        remedy: "Remove the directive.",
        client: "Not affected.",
    }
    WSGI0299 Error group_has_no_user(error: &dyn Display) {
        text: "no account for its processes: {error}",
        meaning: "The user of the processes is not known to the system, is root, is not set, or \
            cannot be looked up.",
        remedy: "The message says which. Create the account, name another one with `user=`, or \
            mend the user database.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0300 Error needs_root(option: &str, remedy: &str) {
        text: "{option} needs httpd started as root; {remedy}",
        meaning: "httpd was started by another user, who may not do that.",
        remedy: "Take the option away, or start httpd as root.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0301 Error chroot_missing(root: &str) {
        text: "chroot={root:?}: there is no such directory",
        meaning: "The processes of the group cannot have a root directory that does not exist.",
        remedy: "Create it, or name another one.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0302 Error python_unusable(option: &str, error: &dyn Display) {
        text: "{option} cannot be used: {error}",
        meaning: "There is no Python 3.10 or later where `python-home=` or `WSGIPythonHome` leads \
            to, or the user of the processes cannot run it.",
        remedy: "The error says what is wrong with it.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0303 Error engine_unusable(problem: &dyn Display) {
        text: "the engine cannot be loaded: {problem}",
        meaning: "`_mod_wsgi.abi3.so`, which lies beside `mod_wsgi.so`, is missing, or closed to \
            the user of the processes.",
        remedy: "Install Dormouse where all users can read it. With `chroot=`, have a copy below \
            that directory, too.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0304 Error home_unusable(home: &str, problem: &dyn Display) {
        text: "home={home:?}: {problem}",
        meaning: "The processes of the group cannot have that working directory.",
        remedy: "The message says what is wrong with it.",
        client: "httpd does not start. At a restart: status 503 from the group.",
    }
    WSGI0305 Warning script_out_of_reach(script: &str, user: &str, obstacle: &dyn Display) {
        text: "httpd's children (user {user:?}) cannot find {script:?}, and requests get status \
            403: {obstacle}",
        meaning: "httpd looks for the script before it asks the process group, with the rights of \
            its own user.",
        remedy: "Let httpd's user search the directories (`chmod o+x`).",
        client: "Status 403.",
    }
    WSGI0306 Warning script_unreadable(script: &str, user: &str, obstacle: &dyn Display) {
        text: "user {user:?} cannot read {script:?}: {obstacle}",
        meaning: "The processes that the script runs in will not be able to load it.",
        remedy: "Let that user read the script and search its directories.",
        client: "Status 500.",
    }
    WSGI0307 Warning another_python(process: &str) {
        text: "another module has started Python in {process}: embedded mode uses it, and lazy \
            initialization is lost",
        meaning: "A module such as mod_python has started Python before Dormouse could.",
        remedy: "Unload that module, or use process groups.",
        client: "Not affected.",
    }
    WSGI0308 Warning python_stays(running: &str, other_python: &str) {
        text: "{running} runs in httpd's parent process, and stays there until httpd is stopped \
            and started again{other_python}",
        meaning: "Python cannot be unloaded from a process, so a restart does not change it.",
        remedy: "Stop httpd and start it again.",
        client: "Responses of the Python that runs.",
    }
}

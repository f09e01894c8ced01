//! Messages about requests: those that are refused, and those that a worker answers badly or never.

use std::fmt::Display;

use super::catalogue;

catalogue! {
    WSGI0081 Error outside_of_chroot(file: &str, root: &str) {
        text: "{file:?} does not lie below chroot={root:?} of its process group",
        meaning: "The processes of the group have another root directory, and cannot see the \
            script.",
        remedy: "Put the script below that directory, or send it to another process group.",
        client: "Status 500.",
    }
    WSGI0115 Error no_socket(error: &dyn Display) {
        text: "this child of httpd cannot make a socket for the request ({error}); the limit of \
            open files (ulimit -n) may be too low for its threads, or a module in it leaves files \
            open",
        meaning: "The child of httpd has no free descriptor for a request to a process group.",
        remedy: "Raise the limit of open files for httpd, or find what leaves files open in its \
            children.",
        client: "Status 503.",
    }
    WSGI0116 Error queue_full(seconds: u64, error: &dyn Display) {
        text: "the queue was full for connect-timeout={seconds} ({error})",
        meaning: "As many requests as `listen-backlog` allows waited for a worker all that time.",
        remedy: "Give the group more threads or processes, find out why its requests take long, or \
            raise `listen-backlog=`.",
        client: "Status 503.",
    }
    WSGI0117 Error queue_unusable(error: &dyn Display) {
        text: "the queue cannot be used ({error}); a graceful restart of httpd makes a new one",
        meaning: "A process of the group has shut down the socket that requests come in by.",
        remedy: "Restart httpd gracefully, and find out which code of the application closes or \
            shuts down descriptors that are not its own.",
        client: "Status 503.",
    }
    WSGI0124 Error given_back(attempts: u32) {
        text: "its workers gave the request back; gave up after {attempts} attempts",
        meaning: "Each worker that took the request was about to be replaced, since its script has \
            changed, had too many open files (WSGI0251), or could not set the socket of the \
            request up (WSGI0033, WSGI0062, WSGI0253).",
        remedy: "If scripts change all the time, deploy them together. Otherwise look for the line \
            of the worker.",
        client: "Status 503.",
    }
    WSGI0134 Error exec_cgi_off(file: &str) {
        text: "Options ExecCGI is off in this directory: {file:?}",
        meaning: "A handler is set for the file, but the directory does not allow scripts to be \
            run.",
        remedy: "Say `Options +ExecCGI` for the directory, or use `WSGIScriptAlias`.",
        client: "Status 403.",
    }
    WSGI0135 Error script_not_found(file: &str) {
        text: "script not found: {file:?}",
        meaning: "There is no file where the alias or the URL leads to. If httpd's children cannot \
            reach it, httpd refuses the request with status 403 (WSGI0305).",
        remedy: "Compare the path with that in the configuration.",
        client: "Status 404.",
    }
    WSGI0136 Error script_is_directory(file: &str) {
        text: "the script is a directory: {file:?}",
        meaning: "The alias leads to a directory, and the URL names no file in it.",
        remedy: "Have `WSGIScriptAlias` lead to a script.",
        client: "Status 403.",
    }
    WSGI0137 Error path_info_rejected(file: &str) {
        text: "AcceptPathInfo Off disallows path info: {file:?}",
        meaning: "The URL goes on behind the script, which `AcceptPathInfo Off` does not allow.",
        remedy: "Say `AcceptPathInfo On` for scripts that serve more than one URL.",
        client: "Status 404.",
    }
    WSGI0138 Error unknown_encoding(encoding: &str) {
        text: "unknown Transfer-Encoding {encoding:?}",
        meaning: "The client sends the body in an encoding other than `chunked`.",
        remedy: "Nothing, if such requests are none of yours.",
        client: "Status 501.",
    }
    WSGI0139 Error chunks_not_taken() {
        text: "the request's body comes in chunks, without its length in front; an application \
            that reads bodies to their end can take that: WSGIChunkedRequest On",
        meaning: "WSGI gives an application the length of a body, which this client does not tell.",
        remedy: "Say `WSGIChunkedRequest On` if the application reads bodies to their end.",
        client: "Status 411.",
    }
    WSGI0141 Error invalid_length(length: &str) {
        text: "invalid Content-Length {length:?}",
        meaning: "The client sends a length that is no number.",
        remedy: "Nothing, if such requests are none of yours.",
        client: "Status 400.",
    }
    WSGI0143 Error embedded_mode_off(script: &str, server: &str) {
        text: "embedded mode is disabled (WSGIRestrictEmbedded On), and the script {script:?} of \
            the server {server:?} is not in a process group: set WSGIProcessGroup, or \
            process-group= of its WSGIScriptAlias, to a group that WSGIDaemonProcess defines",
        meaning: "No directive sends the request to a process group, and httpd's children are kept \
            without Python.",
        remedy: "Send it to a process group.",
        client: "Status 500.",
    }
    WSGI0144 Error header_too_long(name: &str, length: usize, limit: u64) {
        text: "the header {name:?} of the response has {length} bytes, more than \
            header-buffer-size={limit}",
        meaning: "The application sends a header that is longer than the group allows.",
        remedy: "Shorten it (cookies are the usual cause), or raise `header-buffer-size=`.",
        client: "Status 500.",
    }
    WSGI0145 Error no_answer(limit: &str) {
        text: "the worker gave no answer for as long as {limit} allows",
        meaning: "The application neither answered nor read or wrote for that long.",
        remedy: "Find out what it waits for, or raise the limit. `request-timeout=` shows stacks \
            of requests that take long.",
        client: "Status 504, or a response that is cut short.",
    }
    WSGI0146 Error worker_lost(error: &dyn Display) {
        text: "the worker was lost before it had answered ({error})",
        meaning: "The worker has ended while it served the request: it crashed, was killed, or a \
            limit ended it.",
        remedy: "Look for the line about its end (WSGI0222, WSGI0230, WSGI0231, WSGI0255 or \
            WSGI0273) and for what was logged before it.",
        client: "Status 502, or a response that is cut short.",
    }
    WSGI0148 Error invalid_head(error: &dyn Display) {
        text: "the worker sent a head that cannot be passed on: {error}",
        meaning: "Status or headers of the response break HTTP, or would let the application \
            mislead httpd. Workers check that, so it is code of the group's user that has written \
            to the request's socket.",
        remedy: "Find out which code writes to descriptors that are not its own.",
        client: "Status 500.",
    }
    WSGI0149 Error group_not_permitted(place: &str) {
        text: "{place} is not one that WSGIRestrictProcess allows here",
        meaning: "The request would run where the configuration does not let it run.",
        remedy: "Add the name to `WSGIRestrictProcess`, or send the request elsewhere.",
        client: "Status 500.",
    }
    WSGI0151 Error unknown_group(group: &str) {
        text: "there is no process group {group:?}; define it with WSGIDaemonProcess {group:?}",
        meaning: "A directive, a variable or a dispatch script names a process group that is not \
            defined.",
        remedy: "Define the group, or correct its name.",
        client: "Status 500; from a hook, its refusal. If a directive names it: httpd does not \
            start.",
    }
    WSGI0152 Error group_of_other_host(group: &str, owner: &str) {
        text: "the process group {group:?} belongs to the virtual host {owner:?}; define it in the \
            main server to use it from others",
        meaning: "A group that a virtual host defines serves hosts of that name only.",
        remedy: "Move `WSGIDaemonProcess` out of `<VirtualHost>`.",
        client: "Status 500; from a hook, its refusal. If a directive names it: httpd does not \
            start.",
    }
    WSGI0211 Error no_worker() {
        text: "there is no worker, because starting one keeps failing; the error log has the \
            reason (WSGI0228, WSGI0229)",
        meaning: "All workers of the group have ended, and the next one is not started yet since \
            the last ones failed. Requests are refused at once, so that they do not occupy httpd's \
            threads.",
        remedy: "Look for WSGI0228 and WSGI0229. The next start is tried without your help.",
        client: "Status 503.",
    }
    WSGI0212 Error group_stalled(seconds: u64) {
        text: "the group has answered nothing for {seconds} s, and this child waits for it with as \
            many threads as wait-share allows",
        meaning: "All workers of the group are busy or hang. Further requests are refused, so that \
            httpd has threads for everything else.",
        remedy: "Find out what its requests wait for; see `request-timeout=`, `wait-share=`.",
        client: "Status 503.",
    }
    WSGI0213 Warning too_many_lines() {
        text: "the worker writes more into the log for this request than 1 MiB, and 64 KiB in each \
            second besides; its further lines are left out",
        meaning: "The application logs so much for one request that it would fill the disk.",
        remedy: "Have the application log less, or into a file of its own.",
        client: "Not affected.",
    }
    WSGI0232 Error protocol_broken(found: &dyn Display) {
        text: "the worker sent {found}",
        meaning: "The worker does not keep to the protocol between it and httpd. Workers send \
            nothing else, so it is code of the group's user that has written to the request's \
            socket.",
        remedy: "Find out which code writes to descriptors that are not its own.",
        client: "Status 500, or a response that is cut short.",
    }
    WSGI0233 Error longer_than_said() {
        text: "the worker sent more than its Content-Length says",
        meaning: "As WSGI0232.",
        remedy: "As WSGI0232.",
        client: "Status 500, or a response that is cut short if it had begun.",
    }
    WSGI0234 Error shorter_than_said(missing: u64) {
        text: "the worker sent {missing} bytes less than its Content-Length says, and no sign that \
            it has failed",
        meaning: "As WSGI0232.",
        remedy: "As WSGI0232.",
        client: "Status 500, or a response that is cut short if it had begun.",
    }
    WSGI0235 Error body_lost(error: &dyn Display) {
        text: "the part of the request's body that was read cannot be read again: {error}",
        meaning: "A body that is larger than 64 KiB waits for its worker in a file without a name, \
            and that file cannot be read.",
        remedy: "Look after the disk that httpd's temporary directory is on.",
        client: "Status 500.",
    }
    WSGI0236 Error body_too_long(length: u64, limit: u64) {
        text: "the body of {length} bytes is longer than LimitRequestBody {limit}",
        meaning: "The client wants to send more than the configuration allows.",
        remedy: "Raise `LimitRequestBody` if such bodies are to be taken.",
        client: "Status 413.",
    }
    WSGI0237 Error head_too_long(limit: usize) {
        text: "the head of the request is longer than {limit} bytes",
        meaning: "Headers and variables of the request do not fit into one frame.",
        remedy: "Set fewer variables for it (`SetEnv`, mod_ssl's `StdEnvVars`). A lower \
            `LimitRequestFieldSize` refuses such requests earlier.",
        client: "Status 413.",
    }
    WSGI0238 Warning lines_left_out(count: u64) {
        text: "{count} lines of the worker were left out for this request",
        meaning: "The end of what WSGI0213 has begun.",
        remedy: "As WSGI0213.",
        client: "Not affected.",
    }
    WSGI0239 Error not_for_htaccess(group: &str) {
        text: ".htaccess may not send it to the process group {group:?}, whose user it would run \
            as; permit that with WSGIProcessGroup {group:?} or WSGIRestrictProcess {group:?} for \
            this directory",
        meaning: "A user who may write `.htaccess` could run code as any user otherwise.",
        remedy: "Permit it in the server's configuration if it is meant so.",
        client: "What the hook's refusal means, such as 403 or 500.",
    }
    WSGI0240 Error group_variable_unset(variable: &str, group: &str) {
        text: "the process group is named by the variable {variable:?} ({group}), which is not set \
            for this request; set it (SetEnv, SetEnvIf, RewriteRule), or name a group",
        meaning: "The name of the process group is `%{ENV:...}`, and there is no such note or \
            variable.",
        remedy: "Set the variable for all requests that come here.",
        client: "Status 500.",
    }
    WSGI0241 Error unknown_placeholder(group: &str) {
        text: "the name {group:?} of a process group is none of the placeholders %{{GLOBAL}}, \
            %{{SERVER}}, %{{HOST}}, %{{RESOURCE}} and %{{ENV:variable}}",
        meaning: "The name of the process group begins as a placeholder, and is none.",
        remedy: "Correct it.",
        client: "Status 500.",
    }
    WSGI0242 Error file_not_sent(error: &dyn Display) {
        text: "the file of a response cannot be sent: {error}",
        meaning: "The file of a response of embedded mode became shorter while it was sent, or \
            could not be kept open.",
        remedy: "Replace files by renaming others onto them. If descriptors are short, raise the \
            limit of open files.",
        client: "A response that is cut short.",
    }
}

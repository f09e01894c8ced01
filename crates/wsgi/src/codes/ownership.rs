//! Messages about scripts whose owner is not that of `script-group` or `script-user`.

use std::fmt::Display;

use super::catalogue;

catalogue! {
    WSGI0153 Error script_group_unknown(path: &str, error: &dyn Display) {
        text: "cannot look at the script {path:?}, whose group has to be that of script-group: \
            {error}",
        meaning: "The process group has `script-group=`, and httpd's child cannot find out the \
            group of the script.",
        remedy: "See to it that httpd's user can reach the script.",
        client: "Status 403.",
    }
    WSGI0154 Error script_of_other_group(path: &str, name: &str) {
        text: "the script {path:?} does not belong to the group {name:?}, as script-group wants it",
        meaning: "The process group serves scripts of one group only.",
        remedy: "Give the script to that group with `chgrp`, or change `script-group=`.",
        client: "Status 403.",
    }
    WSGI0155 Error script_open_to_all(path: &str) {
        text: "the script {path:?} is writable by all users, which script-group forbids",
        meaning: "A user who can write to the script could run code as the user of the process \
            group.",
        remedy: "Take the permission away with `chmod o-w`.",
        client: "Status 403.",
    }
    WSGI0156 Error directory_group_unknown(path: &str, error: &dyn Display) {
        text: "cannot look at the directory {path:?}, whose group has to be that of script-group: \
            {error}",
        meaning: "As WSGI0153, for the directory that the script is in.",
        remedy: "See to it that httpd's user can reach the directory.",
        client: "Status 403.",
    }
    WSGI0157 Error directory_of_other_group(path: &str, name: &str) {
        text: "the directory {path:?} does not belong to the group {name:?}, as script-group wants \
            it",
        meaning: "As WSGI0154, for the directory that the script is in.",
        remedy: "Give the directory to that group with `chgrp`, or change `script-group=`.",
        client: "Status 403.",
    }
    WSGI0158 Error directory_open_to_all(path: &str) {
        text: "the directory {path:?} is writable by all users, which script-group forbids",
        meaning: "As WSGI0155, for the directory that the script is in.",
        remedy: "Take the permission away with `chmod o-w`.",
        client: "Status 403.",
    }
    WSGI0162 Error script_user_unknown(path: &str, error: &dyn Display) {
        text: "cannot look at the script {path:?}, whose owner has to be that of script-user: \
            {error}",
        meaning: "The process group has `script-user=`, and httpd's child cannot find out the \
            owner of the script.",
        remedy: "See to it that httpd's user can reach the script.",
        client: "Status 403.",
    }
    WSGI0163 Error script_of_other_user(path: &str, name: &str) {
        text: "the script {path:?} does not belong to the user {name:?}, as script-user wants it",
        meaning: "The process group serves scripts of one user only.",
        remedy: "Give the script to that user with `chown`, or change `script-user=`.",
        client: "Status 403.",
    }
    WSGI0164 Error script_open_to_others(path: &str) {
        text: "the script {path:?} is writable by others than its owner, which script-user forbids",
        meaning: "A user who can write to the script could run code as the user of the process \
            group.",
        remedy: "Take the permission away with `chmod go-w`.",
        client: "Status 403.",
    }
    WSGI0165 Error directory_user_unknown(path: &str, error: &dyn Display) {
        text: "cannot look at the directory {path:?}, whose owner has to be that of script-user: \
            {error}",
        meaning: "As WSGI0162, for the directory that the script is in.",
        remedy: "See to it that httpd's user can reach the directory.",
        client: "Status 403.",
    }
    WSGI0166 Error directory_of_other_user(path: &str, name: &str) {
        text: "the directory {path:?} does not belong to the user {name:?}, as script-user wants \
            it",
        meaning: "As WSGI0163, for the directory that the script is in.",
        remedy: "Give the directory to that user with `chown`, or change `script-user=`.",
        client: "Status 403.",
    }
    WSGI0167 Error directory_open_to_others(path: &str) {
        text: "the directory {path:?} is writable by others than its owner, which script-user \
            forbids",
        meaning: "As WSGI0164, for the directory that the script is in.",
        remedy: "Take the permission away with `chmod go-w`.",
        client: "Status 403.",
    }
    WSGI0226 Error unknown_owner(option: &str, name: &str, kind: &str) {
        text: "{option}={name:?}: there is no such {kind}; create it, or name another one",
        meaning: "`script-user=` or `script-group=` of a process group names an account that the \
            system does not know, so no script can belong to it.",
        remedy: "Create the account, or name another one.",
        client: "httpd does not start. If the account disappears later: status 403.",
    }
}

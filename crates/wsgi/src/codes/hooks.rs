//! Messages about scripts that are asked: for access, users, groups, and where a request runs.

use super::catalogue;

catalogue! {
    WSGI0041 Error no_password_script() {
        text: "the provider wsgi has no script here to check passwords with; set \
            WSGIAuthUserScript",
        meaning: "`AuthBasicProvider wsgi` holds for the request, and `WSGIAuthUserScript` does \
            not.",
        remedy: "Set it for the same directory.",
        client: "Status 500.",
    }
    WSGI0043 Error no_check_password() {
        text: "there is no function \"check_password\"",
        meaning: "The script of `WSGIAuthUserScript` was loaded, and does not define it.",
        remedy: "Define `check_password(environ, user, password)`.",
        client: "Status 500.",
    }
    WSGI0044 Error no_realm_script() {
        text: "the provider wsgi has no script here to get hashes of; set WSGIAuthUserScript",
        meaning: "`AuthDigestProvider wsgi` holds for the request, and `WSGIAuthUserScript` does \
            not.",
        remedy: "Set it for the same directory.",
        client: "Status 500.",
    }
    WSGI0046 Error no_get_realm_hash() {
        text: "there is no function \"get_realm_hash\"",
        meaning: "The script of `WSGIAuthUserScript` was loaded, and does not define it.",
        remedy: "Define `get_realm_hash(environ, user, realm)`.",
        client: "Status 500.",
    }
    WSGI0049 Error group_not_latin1() {
        text: "groups_for_user() gave a name that is not latin-1",
        meaning: "Names of groups are compared as bytes, and a `str` is taken as latin-1.",
        remedy: "Return `bytes` for such names.",
        client: "Status 401 or 403.",
    }
    WSGI0050 Error group_of_type(found: &str) {
        text: "the names from groups_for_user() must be str or bytes, not {found}",
        meaning: "The function has returned names of another type.",
        remedy: "Correct the function.",
        client: "Status 401 or 403.",
    }
    WSGI0051 Error groups_of_type(found: &str) {
        text: "groups_for_user() must return an iterable of names, not {found}",
        meaning: "The function has returned something else. A `str` is refused: each of its \
            letters would be a group.",
        remedy: "Return a list of names.",
        client: "Status 401 or 403.",
    }
    WSGI0052 Error no_groups_for_user() {
        text: "there is no function \"groups_for_user\"",
        meaning: "The script of `WSGIAuthGroupScript` was loaded, and does not define it.",
        remedy: "Define `groups_for_user(environ, user)`.",
        client: "Status 401 or 403.",
    }
    WSGI0055 Error access_of_type(found: &str) {
        text: "allow_access() must return None, True or False, not {found}",
        meaning: "The function has returned something else. Values are taken strictly: `1` is not \
            `True`.",
        remedy: "Correct the function.",
        client: "Status 403.",
    }
    WSGI0056 Error no_allow_access() {
        text: "there is no function \"allow_access\"",
        meaning: "The script of `WSGIAccessScript` was loaded, and does not define it.",
        remedy: "Define `allow_access(environ, host)`.",
        client: "Status 403.",
    }
    WSGI0057 Error access_denied(file: &str, script: &str) {
        text: "the client is denied {file:?} by the script {script:?}",
        meaning: "`allow_access()` has returned False, or has given no answer; then another line \
            says why.",
        remedy: "Nothing, if the client is not to have it.",
        client: "Status 403.",
    }
    WSGI0058 Error no_group_script() {
        text: "Require wsgi-group has no script here; set WSGIAuthGroupScript",
        meaning: "`Require wsgi-group` holds for the request, and `WSGIAuthGroupScript` does not.",
        remedy: "Set it for the same directory.",
        client: "Status 401 or 403.",
    }
    WSGI0059 Error user_without_groups(user: &str) {
        text: "the user {user:?} is in no group",
        meaning: "`groups_for_user()` has returned no names.",
        remedy: "Nothing, if the user is not to have it.",
        client: "Status 401 or 403.",
    }
    WSGI0060 Error user_not_in_groups(user: &str, groups: &str) {
        text: "the user {user:?} is in no group of: {groups:?}",
        meaning: "None of the names from `groups_for_user()` is one of `Require wsgi-group`.",
        remedy: "Nothing, if the user is not to have it.",
        client: "Status 401 or 403.",
    }
    WSGI0176 Error empty_user() {
        text: "check_password() returned an empty user's name",
        meaning: "The function may return the name that the user has from then on, and this one is \
            empty.",
        remedy: "Return True to keep the name, or False to deny.",
        client: "Status 500.",
    }
    WSGI0177 Error password_of_type(found: &str) {
        text: "check_password() must return None, True, False or a user's name, not {found}",
        meaning: "The function has returned something else. Values are taken strictly: `1` is not \
            `True`.",
        remedy: "Correct the function.",
        client: "Status 500.",
    }
    WSGI0178 Error empty_hash() {
        text: "get_realm_hash() returned an empty hash",
        meaning: "The function may return the MD5 of `user:realm:password`, and this one is empty.",
        remedy: "Return None for a user that is not known.",
        client: "Status 500.",
    }
    WSGI0179 Error hash_of_type(found: &str) {
        text: "get_realm_hash() must return None, or the MD5 of 'user:realm:password' as str or \
            bytes of 32 hexadecimal digits, not {found}",
        meaning: "The function has returned something else.",
        remedy: "Correct the function.",
        client: "Status 500.",
    }
    WSGI0246 Error invalid_hook_answer(script: &str) {
        text: "the answer of the script {script:?} is invalid",
        meaning: "The answer does not fit the question. Workers send no other, so it is code of \
            the group's user that has written to the question's socket.",
        remedy: "Find out which code writes to descriptors that are not its own.",
        client: "Status 403 or 500.",
    }
    WSGI0247 Error question_too_long(script: &str, limit: usize) {
        text: "the question to the script {script:?} is longer than {limit} bytes",
        meaning: "Headers and variables of the request do not fit into one frame.",
        remedy: "Set fewer variables for it (`SetEnv`, mod_ssl's `StdEnvVars`). A lower \
            `LimitRequestFieldSize` refuses such requests earlier.",
        client: "Status 403 or 500.",
    }
    WSGI0248 Error dispatch_of_type(function: &str, found: &str) {
        text: "{function}() must return None, str or bytes, not {found}",
        meaning: "A function of the script of `WSGIDispatchScript` has returned something else.",
        remedy: "Correct the function.",
        client: "Status 500.",
    }
    WSGI0249 Error dispatch_name_invalid(function: &str) {
        text: "{function}() returned a name with characters that a name cannot have (NUL, or none \
            of latin-1)",
        meaning: "A function of the script of `WSGIDispatchScript` has returned a name that cannot \
            be one.",
        remedy: "Correct the function.",
        client: "Status 500.",
    }
    WSGI0250 Error answer_too_long(length: usize, limit: usize) {
        text: "the answer has {length} bytes, more than {limit}",
        meaning: "The names that a hook has returned do not fit into one frame.",
        remedy: "Return fewer names: `groups_for_user()` may leave out what no `Require \
            wsgi-group` asks for.",
        client: "Status 403 or 500.",
    }
}

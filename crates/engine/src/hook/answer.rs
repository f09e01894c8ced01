//! The values that a hook's function may return, and the messages about all others.
//!
//! Values are looked at strictly: `1` is not `True`. A slip in a script must not open a door.

use std::ffi::CStr;

use python::{Error, Exception, Object, Result};
use wsgi::codes::{self, Message};
use wsgi::protocol::hook::{Answer, is_md5, is_user_name};

/// Why there is no answer, as a message; `None` if everything was said.
pub(super) type Refusal = Option<Message>;

type Checked<T> = std::result::Result<T, Refusal>;

fn refused<T>(message: Message) -> Checked<T> {
    Err(Some(message))
}

/// `None`, `True` or `False`, if it is one of them.
fn opinion(value: &Object<'_>) -> Option<Answer> {
    let py = value.py();
    if value.is_none() {
        Some(Answer::None)
    } else if value.is(&py.bool(true)) {
        Some(Answer::Yes)
    } else if value.is(&py.bool(false)) {
        Some(Answer::No)
    } else {
        None
    }
}

/// The result of `allow_access`.
pub(super) fn access(value: &Object<'_>) -> Checked<Answer> {
    opinion(value).map_or_else(|| refused(codes::access_of_type(&value.type_name())), Ok)
}

/// The result of `check_password`.
pub(super) fn password(value: &Object<'_>) -> Checked<Answer> {
    if let Some(answer) = opinion(value) {
        return Ok(answer);
    }
    if !value.is_str() {
        return refused(codes::password_of_type(&value.type_name()));
    }
    match value.utf8() {
        Ok(name) if name.is_empty() => refused(codes::empty_user()),
        Ok(name) if is_user_name(name.as_bytes()) => Ok(Answer::Text(name.into_bytes())),
        _ => {
            let found = "one with characters that a name cannot have (NUL, surrogates)";
            refused(codes::password_of_type(found))
        }
    }
}

/// The result of `get_realm_hash`.
pub(super) fn realm_hash(value: &Object<'_>) -> Checked<Answer> {
    if value.is_none() {
        return Ok(Answer::None);
    }
    let hash = match bytes_of(value) {
        Some(Ok(hash)) => hash,
        Some(Err(_)) => Vec::from("?"),
        None => return refused(codes::hash_of_type(&value.type_name())),
    };
    if hash.is_empty() {
        return refused(codes::empty_hash());
    }
    if !is_md5(&hash) {
        return refused(codes::hash_of_type("another text"));
    }
    // mod_auth_digest goes on from the digits, and clients write them small.
    Ok(Answer::Text(hash.to_ascii_lowercase()))
}

/// The result of `groups_for_user`; the error is the exception that it raised while its names were
/// taken.
pub(super) fn groups<'py>(value: &Object<'py>) -> Result<'py, Checked<Answer>> {
    // Each letter of a text would be a group; that is a slip, and never meant.
    let names = match value.iterate() {
        Ok(names) if !value.is_str() => names,
        Err(error) if !error.is_instance_of(Exception::TypeError) => return Err(error),
        _ => {
            return Ok(refused(codes::groups_of_type(&value.type_name())));
        }
    };
    let mut groups = Vec::new();
    for name in names {
        let name = name?;
        match bytes_of(&name) {
            Some(Ok(name)) => groups.push(name),
            Some(Err(_)) => return Ok(refused(codes::group_not_latin1())),
            None => return Ok(refused(codes::group_of_type(&name.type_name()))),
        }
    }
    Ok(Ok(Answer::Names(groups)))
}

/// The result of a function of a dispatch script.
pub(super) fn target(function: &CStr, value: &Object<'_>) -> Checked<Option<Vec<u8>>> {
    if value.is_none() {
        return Ok(None);
    }
    let function = function.to_string_lossy();
    match bytes_of(value) {
        Some(Ok(name)) if !name.contains(&0) => Ok(Some(name)),
        Some(_) => refused(codes::dispatch_name_invalid(&function)),
        None => refused(codes::dispatch_of_type(&function, &value.type_name())),
    }
}

/// The bytes of a `bytes`, or of a `str` in latin-1; `None` for anything else.
fn bytes_of<'py>(value: &Object<'py>) -> Option<std::result::Result<Vec<u8>, Error<'py>>> {
    if value.is_bytes() {
        return Some(value.as_bytes().map(<[u8]>::to_vec));
    }
    value.is_str().then(|| value.latin1())
}

//! What a hook's function may return, and what is said about everything else.
//!
//! Values are looked at strictly: `1` is not `True`. A slip in a script must not open a door.

use std::ffi::CStr;

use python::{Error, Exception, Object, Result};
use wsgi::protocol::hook::{Answer, is_md5, is_user_name};

/// Why there is no answer, in words for the log; `None` if everything was said.
pub(super) type Refusal = Option<String>;

type Checked<T> = std::result::Result<T, Refusal>;

fn refused<T>(text: String) -> Checked<T> {
    Err(Some(text))
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

/// What `allow_access` returned.
pub(super) fn access(value: &Object<'_>) -> Checked<Answer> {
    opinion(value).map_or_else(
        || {
            let found = value.type_name();
            refused(format!(
                "WSGI0055: allow_access() must return None, True or False, not {found}"
            ))
        },
        Ok,
    )
}

/// What `check_password` returned.
pub(super) fn password(value: &Object<'_>) -> Checked<Answer> {
    if let Some(answer) = opinion(value) {
        return Ok(answer);
    }
    if !value.is_str() {
        let found = value.type_name();
        return refused(format!(
            "WSGI0177: check_password() must return None, True, False or a user's name, not {found}"
        ));
    }
    match value.utf8() {
        Ok(name) if name.is_empty() => {
            refused("WSGI0176: check_password() returned an empty user's name".into())
        }
        Ok(name) if is_user_name(name.as_bytes()) => Ok(Answer::Text(name.into_bytes())),
        _ => refused(
            "WSGI0177: check_password() returned a user's name with characters that a name cannot \
             have (NUL, surrogates)"
                .into(),
        ),
    }
}

/// What `get_realm_hash` returned.
pub(super) fn realm_hash(value: &Object<'_>) -> Checked<Answer> {
    if value.is_none() {
        return Ok(Answer::None);
    }
    let hash = match bytes_of(value) {
        Some(Ok(hash)) => hash,
        Some(Err(_)) => Vec::from("?"),
        None => {
            let found = value.type_name();
            return refused(format!(
                "WSGI0179: get_realm_hash() must return None, str or bytes, not {found}"
            ));
        }
    };
    if hash.is_empty() {
        return refused("WSGI0178: get_realm_hash() returned an empty hash".into());
    }
    if !is_md5(&hash) {
        return refused(
            "WSGI0179: get_realm_hash() must return the MD5 of 'user:realm:password' as 32 \
             hexadecimal digits, and returned something else"
                .into(),
        );
    }
    // mod_auth_digest goes on from the digits, and clients write them small.
    Ok(Answer::Text(hash.to_ascii_lowercase()))
}

/// What `groups_for_user` returned; the error is what it raised while its names were taken.
pub(super) fn groups<'py>(value: &Object<'py>) -> Result<'py, Checked<Answer>> {
    // Each letter of a text would be a group; that is a slip, and never meant.
    let names = match value.iterate() {
        Ok(names) if !value.is_str() => names,
        Err(error) if !error.is_instance_of(Exception::TypeError) => return Err(error),
        _ => {
            let found = value.type_name();
            let text = format!(
                "WSGI0051: groups_for_user() must return an iterable of names, not {found}"
            );
            return Ok(refused(text));
        }
    };
    let mut groups = Vec::new();
    for name in names {
        let name = name?;
        match bytes_of(&name) {
            Some(Ok(name)) => groups.push(name),
            Some(Err(_)) => {
                let text = "WSGI0049: groups_for_user() gave a name that is not latin-1";
                return Ok(refused(text.into()));
            }
            None => {
                let found = name.type_name();
                let text = format!(
                    "WSGI0050: the names from groups_for_user() must be str or bytes, not {found}"
                );
                return Ok(refused(text));
            }
        }
    }
    Ok(Ok(Answer::Names(groups)))
}

/// What a function of a dispatch script returned.
pub(super) fn target(function: &CStr, value: &Object<'_>) -> Checked<Option<Vec<u8>>> {
    if value.is_none() {
        return Ok(None);
    }
    let function = function.to_string_lossy();
    match bytes_of(value) {
        Some(Ok(name)) if !name.contains(&0) => Ok(Some(name)),
        Some(_) => refused(format!(
            "{function}() returned a name with characters that a name cannot have (NUL, or none of \
             latin-1)"
        )),
        None => {
            let found = value.type_name();
            refused(format!("{function}() must return None, str or bytes, not {found}"))
        }
    }
}

/// The bytes of a `bytes`, or of a `str` in latin-1; `None` for anything else.
fn bytes_of<'py>(value: &Object<'py>) -> Option<std::result::Result<Vec<u8>, Error<'py>>> {
    if value.is_bytes() {
        return Some(value.as_bytes().map(<[u8]>::to_vec));
    }
    value.is_str().then(|| value.latin1())
}

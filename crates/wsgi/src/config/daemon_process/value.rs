//! Values of options, read strictly: what is not wholly understood is refused.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{Preload, Principal, Processes};

/// An absolute path.
pub(super) fn absolute(value: &str) -> Option<PathBuf> {
    value.starts_with('/').then(|| PathBuf::from(value))
}

/// The directory of `WSGIPythonHome` and `python-home`; of a `prefix:exec_prefix` pair the prefix.
pub(crate) fn python_home(value: &str) -> Option<PathBuf> {
    absolute(value.split(':').next().unwrap_or_default())
}

/// The directories of a path like `/a:/b`, without empty ones.
pub(crate) fn split_path(value: &str) -> Vec<PathBuf> {
    value.split(':').filter(|entry| !entry.is_empty()).map(PathBuf::from).collect()
}

/// `N`, or `MIN..MAX`.
pub(super) fn processes(value: &str) -> Option<Processes> {
    let (least, most) = match value.split_once("..") {
        Some((least, most)) => (number(least)?, number(most)?),
        None => (number(value)?, number(value)?),
    };
    (most >= 1 && least <= most && most <= MOST_PROCESSES).then_some(Processes { least, most })
}

/// A number without a plus sign, which Rust would take.
pub(crate) fn number<N: FromStr>(text: &str) -> Option<N> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// The largest number of seconds, milliseconds or requests. A result computed from such a number
/// stays far below the end of its type.
const MOST: u64 = 2_147_483_647;
/// The largest size in bytes.
const MOST_BYTES: u64 = 1 << 50;
/// The most processes of a group.
const MOST_PROCESSES: u32 = 65_533;

/// A whole number of seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    count(text).map(Duration::from_secs)
}

/// A number of milliseconds or requests.
pub(super) fn count(text: &str) -> Option<u64> {
    number(text).filter(|count| *count <= MOST)
}

/// A nice value.
pub(super) fn nice(value: &str) -> Option<i32> {
    number(value).filter(|nice| (-20..=19).contains(nice))
}

/// Seconds above 0, with a fraction if there is one.
pub(crate) fn interval(value: &str) -> Option<Duration> {
    let seconds: f64 = number(value)?;
    let interval = Duration::try_from_secs_f64(seconds).ok()?;
    (seconds > 0.0 && interval <= Duration::from_secs(MOST))
        .then(|| interval.max(Duration::from_micros(1)))
}

/// Users or groups with a comma between.
pub(super) fn principals(value: &str) -> Option<Vec<Principal>> {
    let entries = value.split(',');
    entries.map(|entry| if entry.is_empty() { None } else { Principal::parse(entry) }).collect()
}

pub(super) fn preload(value: &str) -> Option<Preload> {
    match value.to_ascii_lowercase().as_str() {
        "off" => Some(Preload::Off),
        "interpreter" => Some(Preload::Interpreter),
        "application" => Some(Preload::Application),
        _ => None,
    }
}

/// `keep` is true, `end` is false.
pub(super) fn keep(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "keep" => Some(true),
        "end" => Some(false),
        _ => None,
    }
}

/// Entries with a comma between, each of which is as it must be.
pub(super) fn list(value: &str, good: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    value.split(',').map(|entry| good(entry).then(|| entry.to_owned())).collect()
}

/// Whether this can be the name of a Python module; what letters are is left to Python.
pub(super) fn is_module_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    })
}

/// A size in bytes as [`bytes`] reads it; 0, which is allowed too, means that there is none.
pub(super) fn bytes_or_none(value: &str) -> Option<u64> {
    if value == "0" { Some(0) } else { bytes(value) }
}

/// 0, or the size of a buffer of at least `least` bytes. The kernel takes it as an `int`.
pub(super) fn size_from(value: &str, least: u64) -> Option<u64> {
    bytes_or_none(value).filter(|size| *size == 0 || (least..=1 << 30).contains(size))
}

/// A size in bytes, with `K`, `M` or `G` for powers of 1024.
pub(super) fn bytes(value: &str) -> Option<u64> {
    let shift = match value.bytes().last()?.to_ascii_uppercase() {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        _ => 0,
    };
    let digits = if shift == 0 { value } else { &value[..value.len() - 1] };
    let count: u64 = number(digits).filter(|count| *count >= 1)?;
    count.checked_mul(1 << shift).filter(|bytes| *bytes <= MOST_BYTES)
}

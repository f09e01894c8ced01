//! The documents that the processes send each other when they start, as JSON.

use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wsgi::process::plan::{EmbeddedSpec, Plan, PythonStart, Report, WorkerSpec};

/// A plan, a report, or the task of a worker or of the engine: the first byte says which. A
/// document that can be read is written again with the same meaning.
///
/// # Panics
/// Where it is not.
pub(crate) fn plans(bytes: &[u8]) {
    let Some((kind, json)) = bytes.split_first() else { return };
    match kind % 5 {
        0 => _ = read::<Plan>(json),
        1 => _ = read::<Report>(json),
        2 => _ = read::<EmbeddedSpec>(json),
        3 => _ = read::<PythonStart>(json),
        _ => {
            let Some(spec) = read::<WorkerSpec>(json) else { return };
            let _ = (spec.display_name(), spec.group.pool(), spec.group.is_service());
            let _ = spec.server.interpreters.of(&spec.group.name, "");
            for moment in [0, 1_700_000_000, u64::MAX] {
                assert!(!spec.time_zone.local(Duration::from_secs(moment)).to_string().is_empty());
            }
        }
    }
}

fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(json: &[u8]) -> Option<T> {
    let value = serde_json::from_slice::<T>(json).ok()?;
    // A path that is no UTF-8 cannot be written; none is read, either.
    let again = serde_json::to_vec(&value).expect("what was read can be written");
    let twice: T = serde_json::from_slice(&again).expect("what was written can be read");
    assert_eq!(twice, value, "a plan is written otherwise than it was read");
    Some(value)
}

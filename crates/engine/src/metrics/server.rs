//! `server_metrics()`: httpd's scoreboard as the dict that applications get.

use std::time::Duration;

use python::{Attached, Object, Result};
use wsgi::protocol::scoreboard::{ScoreboardProcess, ScoreboardSnapshot, ScoreboardWorker, symbol};

use super::report::int;

/// The dict of a snapshot.
pub(super) fn server<'py>(
    py: Attached<'py>,
    board: &ScoreboardSnapshot,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    let running = board.current_time.saturating_sub(board.restart_time);
    dict.set("server_limit", &py.int(board.server_limit.into())?)?;
    dict.set("thread_limit", &py.int(board.thread_limit.into())?)?;
    dict.set("running_generation", &py.int(board.generation.into())?)?;
    dict.set("restart_time", &seconds(py, board.restart_time)?)?;
    dict.set("current_time", &seconds(py, board.current_time)?)?;
    dict.set("running_time", &int(py, Duration::from_micros(running).as_secs())?)?;
    let processes = py.list()?;
    for (number, process) in (0..).zip(&board.processes) {
        processes.append(&one_process(py, number, process)?)?;
    }
    dict.set("processes", &processes)?;
    Ok(dict)
}

fn one_process<'py>(
    py: Attached<'py>,
    number: i64,
    process: &ScoreboardProcess,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    dict.set("process_num", &py.int(number)?)?;
    dict.set("pid", &py.int(process.pid.into())?)?;
    dict.set("generation", &py.int(process.generation.into())?)?;
    dict.set("quiescing", &py.bool(process.quiescing))?;
    let workers = py.list()?;
    for (number, worker) in (0..).zip(&process.workers) {
        workers.append(&one_worker(py, number, worker)?)?;
    }
    dict.set("workers", &workers)?;
    Ok(dict)
}

fn one_worker<'py>(
    py: Attached<'py>,
    number: i64,
    worker: &ScoreboardWorker,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    dict.set("thread_num", &py.int(number)?)?;
    dict.set("generation", &py.int(worker.generation.into())?)?;
    dict.set("status", &py.text(symbol(worker.status).encode_utf8(&mut [0; 4]))?)?;
    dict.set("access_count", &int(py, worker.access_count)?)?;
    dict.set("bytes_served", &int(py, worker.bytes_served)?)?;
    dict.set("start_time", &seconds(py, worker.start_time)?)?;
    dict.set("stop_time", &seconds(py, worker.stop_time)?)?;
    dict.set("last_used", &seconds(py, worker.last_used)?)?;
    dict.set("client", &py.latin1(&worker.client)?)?;
    dict.set("request", &py.latin1(&worker.request)?)?;
    dict.set("vhost", &py.latin1(&worker.vhost)?)?;
    Ok(dict)
}

/// Microseconds of the epoch as Python's seconds.
fn seconds(py: Attached<'_>, microseconds: u64) -> Result<'_, Object<'_>> {
    py.float(Duration::from_micros(microseconds).as_secs_f64())
}

//! A snapshot of httpd's scoreboard, for applications that may see it.

use wsgi::protocol::scoreboard::{ScoreboardProcess, ScoreboardSnapshot, ScoreboardWorker};

use crate::clock::now_micros;
use crate::config::servers::main_config;

/// The scoreboard as it is now, encoded, if applications in embedded mode may see it.
pub(crate) fn for_embedded() -> Option<Vec<u8>> {
    if !main_config(|config| config.settings.global.server_metrics) {
        return None;
    }
    let mut board = Vec::new();
    snapshot()?.encode(&mut board);
    Some(board)
}

/// The scoreboard as it is now; `None` in a process without one.
pub(crate) fn snapshot() -> Option<ScoreboardSnapshot> {
    let board = httpd::Scoreboard::of_this_process()?;
    let process = |index| {
        let child = board.child(index)?;
        let threads = (0..board.thread_limit()).map_while(|thread| board.thread(index, thread));
        Some(ScoreboardProcess {
            pid: child.pid,
            generation: child.generation,
            quiescing: child.quiescing,
            workers: threads.map(worker).collect(),
        })
    };
    Some(ScoreboardSnapshot {
        server_limit: board.server_limit(),
        thread_limit: board.thread_limit(),
        generation: board.generation(),
        restart_time: board.restart_time(),
        current_time: now_micros(),
        processes: (0..board.server_limit()).map_while(process).collect(),
    })
}

fn worker(slot: httpd::ThreadSlot) -> ScoreboardWorker {
    ScoreboardWorker {
        generation: slot.generation,
        status: slot.status,
        access_count: slot.accesses,
        bytes_served: slot.bytes,
        start_time: slot.start,
        stop_time: slot.stop,
        last_used: slot.last_used,
        client: slot.client,
        request: slot.request,
        vhost: slot.vhost,
    }
}

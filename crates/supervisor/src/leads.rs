//! `wsgid leads`: where paths of a configuration lead, which httpd's parent must not look up
//! itself.
//!
//! A path may lie in a file system that does not answer. A thread that looks there hangs in the
//! kernel, and others go on with the paths behind. A result is reported at once; httpd's parent
//! waits for as much as it likes, and kills this process then, which has nothing open but its
//! standard streams.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use wsgi::process::lead::Lead;

use crate::sys::close_inherited;

/// If nothing is found out for so long, as many threads again take over.
const SILENCE: Duration = Duration::from_millis(20);

/// The stack that a thread needs, in bytes: it makes one call to the kernel after another.
const STACK: usize = 64 * 1024;

/// The paths, and how many of them threads have taken.
struct Shared {
    paths: Vec<String>,
    taken: AtomicUsize,
}

/// Writes a line for each path to standard output when it is known where that leads: its place
/// among the paths, and a [`Lead`], as JSON.
pub(crate) fn run(paths: Vec<String>) -> ExitCode {
    close_inherited(3);
    // Nothing of httpd's terminal is held. It fails only if this process leads a process group
    // already.
    let _ = nix::unistd::setsid();
    let (found, answers) = mpsc::channel();
    let shared = Arc::new(Shared { paths, taken: AtomicUsize::new(0) });
    match start(&shared, &found).and_then(|()| tell(&shared, &found, &answers)) {
        Ok(()) => ExitCode::SUCCESS,
        // httpd's parent has gone, or is told so by the end of what it reads.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says what the threads find out, and starts others when they are silent.
fn tell(
    shared: &Arc<Shared>,
    found: &Sender<(usize, Lead)>,
    answers: &Receiver<(usize, Lead)>,
) -> std::io::Result<()> {
    let (mut unknown, mut threads) = (shared.paths.len(), 1);
    let mut output = std::io::stdout();
    while unknown > 0 {
        match answers.recv_timeout(SILENCE) {
            Ok(answer) => {
                let mut line = serde_json::to_vec(&answer)?;
                line.push(b'\n');
                output.write_all(&line)?;
                output.flush()?;
                unknown -= 1;
            }
            Err(RecvTimeoutError::Timeout) => {
                let left = shared.paths.len().saturating_sub(shared.taken.load(Ordering::Relaxed));
                let more = threads.min(left);
                for _ in 0..more {
                    start(shared, found)?;
                }
                threads += more;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// Starts a thread that looks at one path after the other.
fn start(shared: &Arc<Shared>, found: &Sender<(usize, Lead)>) -> std::io::Result<()> {
    let (shared, found) = (Arc::clone(shared), found.clone());
    let look = move || {
        loop {
            let index = shared.taken.fetch_add(1, Ordering::Relaxed);
            let Some(path) = shared.paths.get(index) else { return };
            let is_directory = |path: &str| Some(std::fs::metadata(path).ok()?.is_dir());
            if found.send((index, Lead::follow(path, is_directory))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(look).map(drop)
}

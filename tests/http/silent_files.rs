//! A file system that does not answer, as one that a user has made with FUSE may be.
//!
//! It speaks FUSE's protocol itself (`linux/fuse.h`): it agrees to the mount, and to nothing else
//! until it is released. A process that waits for it cannot be killed, not even by SIGKILL.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// The file system. Dropped, it answers everything, and is gone.
pub(crate) struct SilentFiles {
    folder: TempDir,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

struct Shared {
    device: File,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_released: bool,
    /// Requests without an answer.
    waiting: Vec<[u8; 8]>,
}

/// `FUSE_INIT`, and requests that want no answer: `FUSE_FORGET`, `FUSE_INTERRUPT`,
/// `FUSE_BATCH_FORGET`.
const INIT: u32 = 26;
const WITHOUT_ANSWER: [u32; 3] = [2, 36, 42];

impl SilentFiles {
    /// Mounts it; `None` where that cannot be done, which is printed past the capture of the output
    /// of tests.
    pub(crate) fn mount(test: &str) -> Option<Self> {
        match Self::try_mount() {
            Ok(files) => Some(files),
            Err(error) => {
                let line =
                    format!("{test}: left out: no FUSE file system can be mounted: {error}\n");
                io::stdout().write_all(line.as_bytes()).unwrap();
                None
            }
        }
    }

    fn try_mount() -> io::Result<Self> {
        let folder = TempDir::new()?;
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let options =
            format!("fd={},rootmode=40755,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("silent"), folder.path(), Some("fuse"), flags, Some(options.as_str()))?;
        let shared = Arc::new(Shared { device, state: Mutex::default() });
        let server = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve()
        });
        Ok(Self { folder, shared, server: Some(server) })
    }

    /// A path whose lookup hangs.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    /// Whether a process waits for an answer.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.shared.state.lock().unwrap().waiting.is_empty()
    }

    /// From now on everything is answered: there is no such file.
    pub(crate) fn release(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_released = true;
        for id in state.waiting.drain(..) {
            self.shared.answer(id, -2, &[]);
        }
    }
}

impl Drop for SilentFiles {
    fn drop(&mut self) {
        self.release();
        umount2(self.folder.path() as &Path, MntFlags::MNT_DETACH).unwrap();
        self.server.take().unwrap().join().unwrap();
    }
}

impl Shared {
    /// Reads requests until the file system is unmounted.
    fn serve(&self) {
        let mut request = vec![0; 1 << 17];
        while let Ok(count) = (&self.device).read(&mut request) {
            assert!(count >= 40, "a request is longer than that");
            let kind = u32::from_ne_bytes(request[4..8].try_into().unwrap());
            let id = request[8..16].try_into().unwrap();
            let mut state = self.state.lock().unwrap();
            if kind == INIT {
                self.answer(id, 0, &agreement());
            } else if WITHOUT_ANSWER.contains(&kind) {
            } else if state.is_released {
                self.answer(id, -2, &[]);
            } else {
                state.waiting.push(id);
            }
        }
    }

    /// Answers a request; the kernel may have forgotten it.
    fn answer(&self, id: [u8; 8], error: i32, content: &[u8]) {
        let length = u32::try_from(16 + content.len()).unwrap();
        let head = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), &id].concat();
        let _ = (&self.device).write(&[&head, content].concat());
    }
}

/// `struct fuse_init_out`: version 7.31, no features, pieces of a page.
fn agreement() -> Vec<u8> {
    let mut numbers = [0_u32; 16];
    (numbers[0], numbers[1], numbers[5], numbers[6]) = (7, 31, 4096, 1);
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

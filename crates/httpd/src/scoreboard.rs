//! httpd's scoreboard: the table of its children and their threads.
//!
//! It lies in memory that httpd's parent and all children share and change at any time, so what is
//! read of it is copied, and may be half of one state and half of the next.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use httpd_sys as sys;

/// The scoreboard of the httpd that this process belongs to. httpd never takes it away from a
/// process that has it.
#[derive(Clone, Copy, Debug)]
pub struct Scoreboard {
    global: NonNull<sys::global_score>,
}

/// A place for a child.
#[derive(Clone, Copy, Debug)]
pub struct ChildSlot {
    /// Its process id; 0 while the place is free.
    pub pid: u32,
    /// Which configuration it serves.
    pub generation: u32,
    /// Whether it ends as soon as its requests have ended.
    pub quiescing: bool,
}

/// A place for a thread of a child. Times are in microseconds of the Unix epoch, 0 where there is
/// none.
#[derive(Clone, Debug)]
pub struct ThreadSlot {
    /// Which configuration it serves.
    pub generation: u32,
    /// Its state: one of httpd's `SERVER_*`.
    pub status: u8,
    /// Requests that it has served.
    pub accesses: u64,
    /// Bytes that it has sent.
    pub bytes: u64,
    /// When its last request began.
    pub start: u64,
    /// When its last request ended.
    pub stop: u64,
    /// When it was last used.
    pub last_used: u64,
    /// The client of its last request.
    pub client: Vec<u8>,
    /// The line of its last request, as far as there is room for it.
    pub request: Vec<u8>,
    /// The virtual host of its last request.
    pub vhost: Vec<u8>,
}

impl Scoreboard {
    /// The scoreboard; `None` in a process without one.
    pub fn of_this_process() -> Option<Self> {
        // SAFETY: the functions read pointers that httpd has set before it made children.
        let global = unsafe {
            if sys::ap_exists_scoreboard_image() == 0 {
                return None;
            }
            sys::ap_get_scoreboard_global()
        };
        NonNull::new(global).map(|global| Self { global })
    }

    /// Places for children.
    pub fn server_limit(self) -> u32 {
        // SAFETY: (of this and the next three) the table is there, see the type; its fields are
        // numbers, and are read as memory that others change.
        number(unsafe { ptr::read_volatile(&raw const (*self.global.as_ptr()).server_limit) })
    }

    /// Places for threads of each child.
    pub fn thread_limit(self) -> u32 {
        // SAFETY: see above.
        number(unsafe { ptr::read_volatile(&raw const (*self.global.as_ptr()).thread_limit) })
    }

    /// Which configuration is served.
    pub fn generation(self) -> u32 {
        // SAFETY: see above.
        number(unsafe { ptr::read_volatile(&raw const (*self.global.as_ptr()).running_generation) })
    }

    /// When httpd was started or restarted last, in microseconds of the Unix epoch.
    pub fn restart_time(self) -> u64 {
        // SAFETY: see above.
        unsigned(unsafe { ptr::read_volatile(&raw const (*self.global.as_ptr()).restart_time) })
    }

    /// The child at `index`; `None` beyond [`Self::server_limit`].
    pub fn child(self, index: u32) -> Option<ChildSlot> {
        // SAFETY: httpd gives null for places that do not exist; the fields as above.
        unsafe {
            let slot = sys::ap_get_scoreboard_process(c_int::try_from(index).ok()?);
            if slot.is_null() {
                return None;
            }
            Some(ChildSlot {
                pid: number(ptr::read_volatile(&raw const (*slot).pid)),
                generation: number(ptr::read_volatile(&raw const (*slot).generation)),
                quiescing: ptr::read_volatile(&raw const (*slot).quiescing) != 0,
            })
        }
    }

    /// The thread at `thread` of the child at `child`; `None` beyond the limits.
    pub fn thread(self, child: u32, thread: u32) -> Option<ThreadSlot> {
        if child >= self.server_limit() || thread >= self.thread_limit() {
            return None;
        }
        let (child, thread) = (c_int::try_from(child).ok()?, c_int::try_from(thread).ok()?);
        let mut slot = MaybeUninit::<sys::worker_score>::zeroed();
        // SAFETY: both places exist; httpd copies the slot, which consists of numbers and texts of
        // fixed length, for which any bytes will do.
        let slot = unsafe {
            sys::ap_copy_scoreboard_worker(slot.as_mut_ptr(), child, thread);
            slot.assume_init()
        };
        Some(ThreadSlot {
            generation: number(slot.generation),
            status: slot.status,
            accesses: slot.access_count,
            bytes: unsigned(slot.bytes_served),
            start: unsigned(slot.start_time),
            stop: unsigned(slot.stop_time),
            last_used: unsigned(slot.last_used),
            client: text(&slot.client64),
            request: text(&slot.request),
            vhost: text(&slot.vhost),
        })
    }
}

fn number(value: c_int) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A text up to its NUL, or all of it where the NUL is missing for the moment.
fn text(field: &[c_char]) -> Vec<u8> {
    field.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect()
}

//! What `wsgid`, templates and workers tell each other while they run: single bytes on a socket that
//! each template and worker shares with `wsgid`. Its end means that the other side is gone.

/// What a worker or a template says to `wsgid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum News {
    /// A forked worker's first word. The kernel adds who speaks, for `wsgid` has not seen it start.
    Forked = b'H',
    /// It takes requests; a template: it can be forked.
    Ready = b'R',
    /// A script that the template has loaded was changed.
    ScriptChanged = b'S',
    /// It had no request for `idle-timeout`.
    Idle = b'I',
    /// It has more private memory than `recycle-memory`.
    Large = b'M',
    /// All its threads are busy.
    Busy = b'B',
    /// A template: an application could not be loaded. The log says why.
    NotLoaded = b'L',
    /// A template: it is not alone in its process and cannot be forked. The log says why.
    Threads = b'T',
}

impl News {
    /// What a byte means.
    #[must_use]
    pub fn decode(byte: u8) -> Option<Self> {
        let all = [
            Self::Forked,
            Self::Ready,
            Self::ScriptChanged,
            Self::Idle,
            Self::Large,
            Self::Busy,
            Self::NotLoaded,
            Self::Threads,
        ];
        all.into_iter().find(|news| *news as u8 == byte)
    }
}

/// What `wsgid` says to a worker or a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Order {
    /// A template: fork a worker; its socket comes with the byte.
    Fork = b'F',
    /// A worker: end, because the script has changed and others are there to serve it.
    EndForScript = b'S',
    /// A worker: end, because it is not needed.
    EndForRest = b'I',
    /// A worker: end, because it has too much memory.
    EndForMemory = b'M',
}

impl Order {
    /// What a byte means.
    #[must_use]
    pub fn decode(byte: u8) -> Option<Self> {
        let all = [Self::Fork, Self::EndForScript, Self::EndForRest, Self::EndForMemory];
        all.into_iter().find(|order| *order as u8 == byte)
    }

    /// Why a worker ends: for the log, and `shutdown_reason` for applications.
    #[must_use]
    pub fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Fork => ("it was mistaken for a template", "shutdown_signal"),
            Self::EndForScript => ("the script has changed", "script_reload"),
            Self::EndForRest => ("it was not needed for idle-timeout", "inactivity_timeout"),
            Self::EndForMemory => ("it reached recycle-memory", "memory_limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_mean_one_thing() {
        for byte in 0..=u8::MAX {
            assert!(News::decode(byte).is_none_or(|news| news as u8 == byte));
            assert!(Order::decode(byte).is_none_or(|order| order as u8 == byte));
        }
        assert_eq!(News::decode(b'R'), Some(News::Ready));
        assert_eq!(Order::decode(b'F'), Some(Order::Fork));
        assert_eq!(News::decode(0), None);
    }
}

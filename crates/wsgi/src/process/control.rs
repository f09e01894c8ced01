//! The messages between `wsgid`, templates and workers while they run: single bytes on a socket
//! that each template and worker shares with `wsgid`. Its end means that the other side is gone.

/// A message from a worker or a template to `wsgid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WorkerMessage {
    /// A forked worker's first word. The kernel adds who speaks, for `wsgid` has not seen it start.
    Forked = b'H',
    /// It takes requests; a template: it can be forked.
    Ready = b'R',
    /// A script that the template has loaded was changed.
    ScriptChanged = b'S',
    /// It had no request for `idle-timeout`.
    Idle = b'I',
    /// It is to be replaced, and serves on until another one is ready.
    ReplacementRequested = b'M',
    /// It takes no request any more and will end; another one may start.
    Draining = b'E',
    /// All its threads are busy.
    Busy = b'B',
    /// It cannot take a request that it was woken for: other workers are to look.
    RequestPassedOn = b'P',
    /// A template: an application could not be loaded. The log says why.
    NotLoaded = b'L',
    /// A template: it is not alone in its process and cannot be forked. The log says why.
    Threads = b'T',
}

impl WorkerMessage {
    /// The meaning of a byte.
    #[must_use]
    pub fn decode(byte: u8) -> Option<Self> {
        let all = [
            Self::Forked,
            Self::Ready,
            Self::ScriptChanged,
            Self::Idle,
            Self::ReplacementRequested,
            Self::Draining,
            Self::Busy,
            Self::RequestPassedOn,
            Self::NotLoaded,
            Self::Threads,
        ];
        all.into_iter().find(|message| *message as u8 == byte)
    }
}

/// A message from `wsgid` to a worker or a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SupervisorMessage {
    /// A template: fork a worker; its socket comes with the byte.
    Fork = b'F',
    /// A worker: end, because the script has changed and others are there to serve it.
    StopForScript = b'S',
    /// A worker: end, because it is not needed.
    StopIdle = b'I',
    /// A worker: end, because another one is there in its place. It knows why it had asked for
    /// that.
    StopReplaced = b'M',
    /// A worker: httpd uses another configuration, and only connections from before that are
    /// served. From now on say so soon when there is nothing to do.
    Retire = b'Z',
    /// A worker: requests wait that were left to a worker which does not take them: look at the
    /// queue.
    Look = b'Q',
    /// A worker: another one has become ready: the threads line up at the queue once more.
    LineUp = b'U',
}

impl SupervisorMessage {
    /// The meaning of a byte.
    #[must_use]
    pub fn decode(byte: u8) -> Option<Self> {
        let all = [
            Self::Fork,
            Self::StopForScript,
            Self::StopIdle,
            Self::StopReplaced,
            Self::Retire,
            Self::Look,
            Self::LineUp,
        ];
        all.into_iter().find(|command| *command as u8 == byte)
    }
}

/// Why a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its group is not needed any more, or an administrator wants it to end.
    Shutdown,
    /// SIGUSR1, where `eviction-timeout` is not given.
    Graceful,
    /// SIGUSR1, where `eviction-timeout` is given.
    Eviction,
    /// A script has changed.
    Script,
    /// It was not needed for `idle-timeout`.
    Rest,
    /// `inactivity-timeout`.
    Inactivity,
    /// `recycle-memory`.
    Memory,
    /// `maximum-requests`.
    MaximumRequests,
    /// `restart-interval`.
    RestartInterval,
    /// `cpu-time-limit`.
    CpuTime,
    /// `request-timeout`.
    RequestTimeout,
    /// `startup-timeout`.
    StartupTimeout,
    /// `deadlock-timeout`.
    Deadlock,
    /// Its queue cannot be used.
    Broken,
}

impl Cause {
    /// `shutdown_reason` of the event `process_stopping`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown_signal",
            Self::Graceful => "graceful_signal",
            Self::Eviction => "eviction_signal",
            Self::Script => "script_reload",
            Self::Rest | Self::Inactivity => "inactivity_timeout",
            Self::Memory => "memory_limit",
            Self::MaximumRequests => "maximum_requests",
            Self::RestartInterval => "restart_interval",
            Self::CpuTime => "cpu_time_limit",
            Self::RequestTimeout => "request_timeout",
            Self::StartupTimeout => "startup_timeout",
            Self::Deadlock => "deadlock_timeout",
            Self::Broken => "signal_pipe_error",
        }
    }

    /// The cause in words, for the log.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Shutdown => "it was asked to end",
            Self::Graceful | Self::Eviction => "SIGUSR1 asked for another one in its place",
            Self::Script => "the script has changed",
            Self::Rest => "it was not needed for idle-timeout",
            Self::Inactivity => "it had no request for inactivity-timeout",
            Self::Memory => "it has reached recycle-memory",
            Self::MaximumRequests => "it has served maximum-requests",
            Self::RestartInterval => "it has lived for restart-interval",
            Self::CpuTime => "it has used the processor for cpu-time-limit",
            Self::RequestTimeout => "a request has reached request-timeout",
            Self::StartupTimeout => "it has reached startup-timeout",
            Self::Deadlock => "it has reached deadlock-timeout",
            Self::Broken => "its queue cannot be used",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_mean_one_thing() {
        for byte in 0..=u8::MAX {
            assert!(WorkerMessage::decode(byte).is_none_or(|message| message as u8 == byte));
            assert!(SupervisorMessage::decode(byte).is_none_or(|command| command as u8 == byte));
        }
        assert_eq!(WorkerMessage::decode(b'R'), Some(WorkerMessage::Ready));
        assert_eq!(SupervisorMessage::decode(b'F'), Some(SupervisorMessage::Fork));
        assert_eq!(WorkerMessage::decode(0), None);
    }
}

//! Log levels, with httpd's numbers.

use serde::{Deserialize, Serialize};

/// How serious a log line is: the levels and numbers of httpd's `APLOG_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Level {
    /// Action must be taken at once.
    Alert = 1,
    /// Something vital cannot work.
    Crit = 2,
    /// A request or a process failed.
    Error = 3,
    /// Worth an administrator's look.
    Warning = 4,
    /// Normal, but shown by default.
    Notice = 5,
    /// The life of processes.
    Info = 6,
    /// Details for finding a fault.
    Debug = 7,
    /// Each request and thread.
    Trace1 = 8,
}

impl Level {
    /// The level with httpd's number `number`; `None` where there is none.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Alert,
            2 => Self::Crit,
            3 => Self::Error,
            4 => Self::Warning,
            5 => Self::Notice,
            6 => Self::Info,
            7 => Self::Debug,
            8 => Self::Trace1,
            _ => return None,
        })
    }

    /// httpd's number for this level.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name that httpd writes into the error log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warning => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace1 => "trace1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for number in 0..=20 {
            if let Some(level) = Level::from_number(number) {
                assert_eq!(level.number(), number);
            }
        }
        assert_eq!(Level::from_number(0), None);
        assert_eq!(Level::from_number(4).map(Level::name), Some("warn"));
    }
}

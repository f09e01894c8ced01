//! How a request ended: one vocabulary for the engine, the frames, and the contract of embedded
//! mode.

/// How a request ended, for the side that has to finish the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The head and the whole body were sent.
    Complete,
    /// Nothing was sent; httpd makes the response, with this status.
    Failed(u16),
    /// Something was sent, and the rest will not come: the client must be able to see that.
    Aborted,
    /// The client went away, and takes no more.
    Gone,
    /// Nothing was run and nothing of the request used up: another process has to serve it.
    Declined,
}

/// Status of a request that embedded mode declines, which it has no reason to do: there is one
/// process.
const DECLINED: u16 = 503;

impl Outcome {
    /// The outcome as the number that embedded mode's function returns: see
    /// [`super::embed_abi::Api::handle`].
    pub fn code(self) -> i32 {
        match self {
            Self::Complete | Self::Gone => 0,
            Self::Aborted => -1,
            Self::Failed(status) => i32::from(status),
            Self::Declined => i32::from(DECLINED),
        }
    }

    /// The outcome behind a number; a number without a meaning is a failure.
    pub fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Complete,
            -1 => Self::Aborted,
            status => Self::Failed(u16::try_from(status).unwrap_or(500)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for outcome in
            [Outcome::Complete, Outcome::Aborted, Outcome::Failed(500), Outcome::Failed(404)]
        {
            assert_eq!(Outcome::from_code(outcome.code()), outcome);
        }
    }

    #[test]
    fn a_number_without_a_meaning_is_a_failure() {
        for code in [-2, i32::MIN, i32::MAX, 65_536] {
            assert_eq!(Outcome::from_code(code), Outcome::Failed(500), "{code}");
        }
    }
}

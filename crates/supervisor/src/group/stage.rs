//! The stages of a worker, and the one place where it passes from one to the next.

use std::time::Instant;

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A template was told to fork it, and it is not known yet which process it is.
    Forking,
    /// Its process is known, and has not said that it is ready.
    Starting,
    /// It takes requests.
    Ready {
        since: Instant,
        /// It has asked for another worker in its place.
        wants_replacement: bool,
    },
    /// It was asked to end, or has said that it does: it takes no requests and finishes those in
    /// flight.
    Draining {
        /// When it became ready, if it ever did.
        ready: Option<Instant>,
        /// When it is killed; `None` if it may take any time.
        kill_at: Option<Instant>,
    },
    /// It was killed, and its end was not noticed yet.
    Killed { ready: Option<Instant>, at: Instant },
}

/// An event in the life of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The kernel has said which process it is.
    Identified,
    /// It has said that it takes requests.
    Ready(Instant),
    /// It has said that it wants to be replaced.
    ReplacementRequested,
    /// It is to end, or has said that it does, and is killed at this moment if it has not ended
    /// before.
    Draining { kill_at: Option<Instant> },
    /// It was sent SIGKILL.
    Killed(Instant),
}

impl Stage {
    /// The stage after an event. A message of a worker out of turn changes nothing: the worker is a
    /// process of the group's user and may say anything at any time.
    pub(crate) fn on(self, event: Event) -> Self {
        match (self, event) {
            (Self::Forking, Event::Identified) => Self::Starting,
            (Self::Starting, Event::Ready(since)) => {
                Self::Ready { since, wants_replacement: false }
            }
            (Self::Ready { since, .. }, Event::ReplacementRequested) => {
                Self::Ready { since, wants_replacement: true }
            }
            // The earlier limit holds.
            (Self::Draining { ready, kill_at: before }, Event::Draining { kill_at }) => {
                Self::Draining { ready, kill_at: before.into_iter().chain(kill_at).min() }
            }
            (Self::Killed { .. }, _)
            | (_, Event::Identified | Event::Ready(_) | Event::ReplacementRequested) => self,
            (_, Event::Draining { kill_at }) => Self::Draining { ready: self.ready(), kill_at },
            (_, Event::Killed(at)) => Self::Killed { ready: self.ready(), at },
        }
    }

    /// When it became ready, if it ever did.
    pub(crate) fn ready(self) -> Option<Instant> {
        match self {
            Self::Forking | Self::Starting => None,
            Self::Ready { since, .. } => Some(since),
            Self::Draining { ready, .. } | Self::Killed { ready, .. } => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn after(events: &[Event]) -> Stage {
        events.iter().fold(Stage::Forking, |stage, event| stage.on(*event))
    }

    #[test]
    fn a_worker_starts_serves_drains_and_is_killed() {
        let now = Instant::now();
        let mut events = vec![Event::Identified];
        assert_eq!(after(&events), Stage::Starting);
        events.push(Event::Ready(now));
        assert_eq!(after(&events), Stage::Ready { since: now, wants_replacement: false });
        events.push(Event::ReplacementRequested);
        assert_eq!(after(&events), Stage::Ready { since: now, wants_replacement: true });
        events.push(Event::Draining { kill_at: None });
        assert_eq!(after(&events), Stage::Draining { ready: Some(now), kill_at: None });
        events.push(Event::Killed(now));
        assert_eq!(after(&events), Stage::Killed { ready: Some(now), at: now });
    }

    #[test]
    fn what_is_said_out_of_turn_changes_nothing() {
        let now = Instant::now();
        let said = [Event::Identified, Event::Ready(now), Event::ReplacementRequested];
        for begun in [
            Stage::Draining { ready: None, kill_at: Some(now) },
            Stage::Killed { ready: None, at: now },
        ] {
            for event in said {
                assert_eq!(begun.on(event), begun, "{event:?}");
            }
        }
        assert_eq!(Stage::Forking.on(Event::Ready(now)), Stage::Forking, "whose word is it?");
        assert_eq!(Stage::Starting.on(Event::ReplacementRequested), Stage::Starting);
        let killed = Stage::Killed { ready: None, at: now };
        assert_eq!(killed.on(Event::Draining { kill_at: None }), killed, "it is not killed again");
    }

    #[test]
    fn the_earliest_limit_holds() {
        let (soon, late) =
            (Instant::now(), Instant::now().checked_add(Duration::from_mins(1)).unwrap());
        for (first, second, expected) in [
            (Some(late), Some(soon), Some(soon)),
            (Some(soon), Some(late), Some(soon)),
            (Some(soon), None, Some(soon)),
            (None, Some(late), Some(late)),
            (None, None, None),
        ] {
            let stage = after(&[
                Event::Identified,
                Event::Draining { kill_at: first },
                Event::Draining { kill_at: second },
            ]);
            assert_eq!(stage, Stage::Draining { ready: None, kill_at: expected });
        }
    }
}

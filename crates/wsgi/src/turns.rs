//! Whose turn it is among the threads of a worker to wait at the listener.
//!
//! It is the idle thread with the lowest number. So a process under little load keeps using few
//! threads, and only these cost memory: stacks, heaps, and what the application keeps for each thread,
//! such as a database connection.

/// The turn. `W` is what a waiting thread is woken by.
#[derive(Debug)]
pub struct Turns<W> {
    holder: Option<Holder>,
    waiting: Vec<(u32, W)>,
}

/// Who has the turn.
#[derive(Clone, Copy, Debug)]
struct Holder {
    number: u32,
    /// It is taking a connection, and keeps the turn until it has.
    takes: bool,
}

impl<W> Default for Turns<W> {
    fn default() -> Self {
        Self { holder: None, waiting: Vec::new() }
    }
}

impl<W> Turns<W> {
    /// Gives the turn to the thread `number`, if it is free or held by one with a higher number that
    /// only waits. That one loses it. No two threads have the same number.
    pub fn take(&mut self, number: u32) -> bool {
        let free = self.holder.is_none_or(|holder| !holder.takes && holder.number > number);
        if free {
            self.holder = Some(Holder { number, takes: false });
        }
        free
    }

    /// Notes a thread that could not take the turn, unless it is noted already. One that was given the
    /// turn and has lost it before it woke has to be noted again.
    pub fn wait(&mut self, number: u32, waiter: W) {
        if self.waiting.iter().all(|(known, _)| *known != number) {
            self.waiting.push((number, waiter));
        }
    }

    /// Whether it is the turn of the thread `number`.
    pub fn is_held_by(&self, number: u32) -> bool {
        self.holder.is_some_and(|holder| holder.number == number)
    }

    /// Whether it is anybody's turn.
    pub fn is_held(&self) -> bool {
        self.holder.is_some()
    }

    /// The thread begins to take a connection; false if it has lost the turn.
    pub fn begin(&mut self, number: u32) -> bool {
        self.set_takes(number, true)
    }

    /// There was no connection after all: the thread waits on, unless it has to yield.
    pub fn wait_on(&mut self, number: u32) -> Option<W> {
        self.set_takes(number, false);
        self.yield_to_lower(number)
    }

    /// The thread gives the turn up if one with a lower number has come meanwhile, which gets it and has
    /// to be woken.
    pub fn yield_to_lower(&mut self, number: u32) -> Option<W> {
        let (_, lowest) = self.lowest()?;
        if lowest < number { self.give_up(number) } else { None }
    }

    /// The thread gives the turn up, if it still has it, and the one with the lowest number of those
    /// that wait gets it and has to be woken.
    pub fn give_up(&mut self, number: u32) -> Option<W> {
        if !self.is_held_by(number) {
            return None;
        }
        self.holder = None;
        let (place, number) = self.lowest()?;
        self.holder = Some(Holder { number, takes: false });
        Some(self.waiting.swap_remove(place).1)
    }

    /// Everybody who waits, to be sent away.
    pub fn dismiss(&mut self) -> impl Iterator<Item = W> {
        self.waiting.drain(..).map(|(_, waiter)| waiter)
    }

    /// The place and the number of the waiting thread with the lowest number.
    fn lowest(&self) -> Option<(usize, u32)> {
        let numbers = self.waiting.iter().map(|(number, _)| *number).enumerate();
        numbers.min_by_key(|(_, number)| *number)
    }

    fn set_takes(&mut self, number: u32, takes: bool) -> bool {
        let mine = self.is_held_by(number);
        if mine {
            self.holder = Some(Holder { number, takes });
        }
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_has_the_turn() {
        let mut turns = Turns::default();
        assert!(turns.take(3) && turns.take(1), "the first takes over from the third");
        assert!(!turns.take(2) && !turns.begin(3));
        for number in [4, 2, 3] {
            turns.wait(number, number);
        }
        assert_eq!(turns.give_up(3), None, "what was lost is not handed on");
        assert!(turns.begin(1));
        assert_eq!(turns.give_up(1), Some(2));
        assert!(turns.is_held_by(2) && turns.take(1));
        assert_eq!(turns.dismiss().collect::<Vec<_>>(), [4, 3]);
        assert_eq!(turns.give_up(1), None);
        assert!(!turns.is_held());
    }

    #[test]
    fn who_loses_the_turn_before_it_wakes_is_not_forgotten() {
        let mut turns = Turns::default();
        assert!(turns.take(0));
        turns.wait(3, 3);
        assert_eq!(turns.give_up(0), Some(3));
        assert!(turns.take(1) && !turns.is_held_by(3));
        turns.wait(3, 3);
        turns.wait(3, 3);
        assert_eq!((turns.give_up(1), turns.give_up(3)), (Some(3), None));
    }

    #[test]
    fn who_takes_a_connection_keeps_the_turn() {
        let mut turns: Turns<()> = Turns::default();
        assert!(turns.take(2) && turns.begin(2));
        assert!(!turns.take(1), "not while a connection is taken");
        assert_eq!(turns.wait_on(2), None);
        assert!(turns.take(1) && !turns.begin(2));
        assert_eq!(turns.wait_on(2), None);
        assert!(turns.is_held_by(1));
    }

    #[test]
    fn who_found_no_connection_leaves_the_turn_to_a_lower_number() {
        let mut turns = Turns::default();
        assert!(turns.take(2) && turns.begin(2) && !turns.take(0));
        turns.wait(3, 3);
        assert_eq!(turns.wait_on(2), None, "a higher number waits on");
        assert!(turns.begin(2));
        turns.wait(0, 0);
        assert_eq!(turns.wait_on(2), Some(0));
        assert!(turns.is_held_by(0) && !turns.is_held_by(2));
        assert_eq!(turns.yield_to_lower(2), None, "what was lost is not handed on");
    }
}

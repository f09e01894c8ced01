//! The outcomes of the requests of a load.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its answer came, whole.
    Right,
    /// 503: the group has no place or no process for it.
    Refused,
    /// 502: the process that had begun it has died.
    Lost,
    /// Its answer ended early.
    Cut,
    /// Another answer came, which is described.
    Wrong(String),
    /// A kept connection was closed before any byte of an answer: the request was sent once more.
    Closed,
    /// No byte of an answer came on a new connection, for this reason.
    Unanswered(String),
}

/// A request that was sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its number, unlike any other of the load.
    pub id: String,
    /// When it was sent, before its connection was opened.
    pub begin: Instant,
    /// When it was over.
    pub end: Instant,
    /// Its outcome.
    pub outcome: Outcome,
}

/// All requests of a load.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// In the order in which they ended.
    answers: Vec<Answer>,
    gap: Duration,
}

/// The requests that the application that counts has begun.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The processes that have begun the request of this number.
    processes: BTreeMap<String, Vec<i32>>,
}

impl Record {
    pub(super) fn new(answers: impl Iterator<Item = Answer>) -> Self {
        let mut answers: Vec<Answer> = answers.collect();
        answers.sort_by_key(|answer| answer.end);
        let gap = longest_gap(&answers);
        Self { answers, gap }
    }

    /// Puts the requests of another load to these. The time between the two is no gap.
    pub fn extend(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.answers.sort_by_key(|answer| answer.end);
        self.gap = self.gap.max(other.gap);
    }

    /// All requests.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// How many had this outcome, whatever its description.
    pub fn count(&self, outcome: &Outcome) -> usize {
        let same = |answer: &&Answer| {
            std::mem::discriminant(&answer.outcome) == std::mem::discriminant(outcome)
        };
        self.answers.iter().filter(same).count()
    }

    /// Those that have no right answer, without those that were sent once more.
    pub fn failures(&self) -> impl Iterator<Item = &Answer> {
        let fine = |outcome: &Outcome| matches!(outcome, Outcome::Right | Outcome::Closed);
        self.answers.iter().filter(move |answer| !fine(&answer.outcome))
    }

    /// How long a request took that was answered rightly: the `share` (0 to 1) of them took no
    /// longer. `None` where there is none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let mut times: Vec<Duration> =
            self.right().map(|answer| answer.end - answer.begin).collect();
        times.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a length is within it"
        )]
        let index = (times.len() as f64 * share.clamp(0.0, 1.0)) as usize;
        times.get(index.min(times.len().checked_sub(1)?)).copied()
    }

    /// The longest time without a right answer, from the first request to the end of the last.
    pub fn longest_gap(&self) -> Duration {
        self.gap
    }

    fn right(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|answer| answer.outcome == Outcome::Right)
    }
}

fn longest_gap(answers: &[Answer]) -> Duration {
    let Some(first) = answers.iter().map(|answer| answer.begin).min() else {
        return Duration::ZERO;
    };
    let right = answers.iter().filter(|answer| answer.outcome == Outcome::Right);
    let ends = right.chain(answers.last()).map(|answer| answer.end);
    let (mut before, mut longest) = (first, Duration::ZERO);
    for end in ends {
        longest = longest.max(end.saturating_duration_since(before));
        before = end;
    }
    longest
}

impl Served {
    /// Reads what the application has written, and forgets it, so that the next load begins anew.
    /// Empty where it has served nothing.
    pub fn take(root: &Path) -> Self {
        let path = root.join("app/served");
        let text = fs::read_to_string(&path).unwrap_or_default();
        // A file that has gone already was never there.
        let _ = fs::remove_file(&path);
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut processes: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for line in text.lines() {
            let Some((id, pid)) = line.split_once(' ') else { continue };
            if let Ok(pid) = pid.parse() {
                processes.entry(id.to_owned()).or_default().push(pid);
            }
        }
        Self { processes }
    }

    /// Those that were begun more than once.
    pub fn twice(&self) -> impl Iterator<Item = &str> {
        let twice = self.processes.iter().filter(|(_, processes)| processes.len() > 1);
        twice.map(|(id, _)| id.as_str())
    }

    /// The process that has begun the request; `None` where none has.
    pub fn process(&self, id: &str) -> Option<i32> {
        self.processes.get(id)?.last().copied()
    }

    /// Those of the record's that the client has a right answer to, and the application knows
    /// nothing of.
    pub fn missing<'a>(&self, record: &'a Record) -> Vec<&'a Answer> {
        record.right().filter(|answer| !self.processes.contains_key(&answer.id)).collect()
    }
}

impl fmt::Display for Record {
    /// One line: how many of each outcome, and the times of right answers in milliseconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = String::new;
        let count = |outcome: &Outcome| self.count(outcome);
        write!(
            formatter,
            "{} requests: {} right, {} refused (503), {} lost (502), {} cut, {} wrong, {} \
             unanswered, {} sent once more",
            self.answers.len(),
            count(&Outcome::Right),
            count(&Outcome::Refused),
            count(&Outcome::Lost),
            count(&Outcome::Cut),
            count(&Outcome::Wrong(none())),
            count(&Outcome::Unanswered(none())),
            count(&Outcome::Closed),
        )?;
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
            let time = self.quantile(share).unwrap_or_default();
            write!(formatter, ", {name} {:.1} ms", time.as_secs_f64() * 1000.0)?;
        }
        write!(formatter, ", longest gap {:.1} ms", self.longest_gap().as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(ends: &[(u64, Outcome)]) -> Record {
        let begin = Instant::now();
        Record::new(ends.iter().enumerate().map(|(number, (end, outcome))| Answer {
            id: number.to_string(),
            begin,
            end: begin + Duration::from_millis(*end),
            outcome: outcome.clone(),
        }))
    }

    #[test]
    fn failures_and_times_are_counted() {
        let record = record(&[
            (10, Outcome::Right),
            (20, Outcome::Lost),
            (30, Outcome::Wrong("404".to_owned())),
            (90, Outcome::Right),
            (100, Outcome::Closed),
        ]);
        assert_eq!(record.failures().count(), 2);
        assert_eq!(record.count(&Outcome::Wrong(String::new())), 1);
        assert_eq!(record.quantile(1.0), Some(Duration::from_millis(90)));
        assert_eq!(record.longest_gap(), Duration::from_millis(80));
        assert!(
            record.to_string().starts_with("5 requests: 2 right, 0 refused (503), 1 lost (502)")
        );
    }

    #[test]
    fn a_load_without_answers_has_no_times() {
        assert_eq!(Record::default().quantile(0.5), None);
        assert_eq!(Record::default().longest_gap(), Duration::ZERO);
    }

    #[test]
    fn what_is_served_twice_is_named() {
        let served = Served::parse("0 7\n1 7\n0 8\n");
        assert_eq!(served.twice().collect::<Vec<_>>(), ["0"]);
        assert_eq!(served.process("1"), Some(7));
        let record = record(&[(1, Outcome::Right), (2, Outcome::Right), (3, Outcome::Right)]);
        let missing: Vec<&str> =
            served.missing(&record).iter().map(|one| one.id.as_str()).collect();
        assert_eq!(missing, ["2"]);
    }
}

//! Tables in Markdown, and what was to be reached.

use std::fmt::Write as _;
use std::process::ExitCode;

/// The findings of a scenario: text in Markdown, and its verdicts.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) text: String,
    pub(crate) verdicts: Vec<Verdict>,
}

/// A target of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    what: String,
    limit: Limit,
    unit: &'static str,
    /// `None` where it could not be measured, which counts as missed.
    found: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Verdict {
    /// A figure that may be at most the limit.
    pub(crate) fn at_most(what: &str, limit: f64, unit: &'static str, found: Option<f64>) -> Self {
        Self { what: what.to_owned(), limit: Limit::AtMost(limit), unit, found }
    }

    /// A figure that has to be at least the limit.
    pub(crate) fn at_least(what: &str, limit: f64, unit: &'static str, found: Option<f64>) -> Self {
        Self { what: what.to_owned(), limit: Limit::AtLeast(limit), unit, found }
    }

    /// Whether it was reached.
    pub(crate) fn is_met(&self) -> bool {
        self.found.is_some_and(|found| match self.limit {
            Limit::AtMost(limit) => found <= limit,
            Limit::AtLeast(limit) => found >= limit,
        })
    }

    fn row(&self) -> Vec<String> {
        let Self { what, limit, unit, found } = self;
        let found = found.map_or("not measured".to_owned(), |found| format!("{found:.3} {unit}"));
        let met = if self.is_met() { "reached" } else { "**missed**" };
        let limit = match limit {
            Limit::AtMost(limit) => format!("≤ {limit:.3} {unit}"),
            Limit::AtLeast(limit) => format!("≥ {limit:.3} {unit}"),
        };
        vec![what.clone(), limit, found, met.to_owned()]
    }
}

/// The table of verdicts.
pub(crate) fn verdicts(all: &[Verdict]) -> String {
    let rows: Vec<_> = all.iter().map(Verdict::row).collect();
    table(&["what", "to reach", "found", ""], &rows)
}

/// Prints how many were reached; success means all of them.
pub(crate) fn conclude(all: &[Verdict]) -> ExitCode {
    let met = all.iter().filter(|verdict| verdict.is_met()).count();
    println!("{met} of {} targets reached", all.len());
    if met == all.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A table whose columns are aligned for those who read it as text.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
    };
    line(&mut head.iter().copied());
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&mut dashes.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A list of names and values.
pub(crate) fn list(entries: &[(&str, String)]) -> String {
    entries
        .iter()
        .fold(String::new(), |text, (name, value)| text + "- " + name + ": " + value + "\n")
}

/// Bytes in units of 2²⁰.
#[expect(clippy::cast_precision_loss, reason = "no memory has 2⁵² bytes")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The cost of one beyond another, which may be less than nothing.
pub(crate) fn beyond(bytes: u64, other: u64) -> f64 {
    megabytes(bytes) - megabytes(other)
}

/// A figure for a table.
pub(crate) fn figure(bytes: u64) -> String {
    format!("{:.1}", megabytes(bytes))
}

/// The same with more digits, for what is small.
pub(crate) fn fine(bytes: u64) -> String {
    format!("{:.2}", megabytes(bytes))
}

/// The same for something that may be missing.
pub(crate) fn or_dash(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_every_cell() {
        let text = table(&["a", "word"], &[vec!["é".into(), "x".into()]]);
        assert_eq!(text, "| a   | word |\n| --- | ---- |\n| é   | x    |\n");
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let verdict = |found| Verdict::at_most("x", 1.0, "MB", found);
        assert!(verdict(Some(1.0)).is_met());
        assert!(!verdict(Some(1.01)).is_met());
        assert!(!verdict(None).is_met());
        assert!(Verdict::at_least("x", 1.0, "", Some(1.0)).is_met());
        assert!(!Verdict::at_least("x", 1.0, "", Some(0.99)).is_met());
        assert!(verdicts(&[verdict(None)]).contains("| not measured | **missed** |"));
    }

    #[test]
    fn less_than_nothing_is_possible() {
        assert!(beyond(1 << 20, 2 << 20) < 0.0);
        assert_eq!((figure(3 << 19).as_str(), or_dash(None).as_str()), ("1.5", "–"));
    }
}

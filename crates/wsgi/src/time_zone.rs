//! A time zone as plain data: how far local time is from UTC, and from when on.
//!
//! Log lines of workers are in httpd's zone, whatever an application does to `TZ`, which holds for
//! its whole process. So the zone is worked out where no application runs, and handed on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time zone for the years that processes live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeZone {
    /// Seconds since 1970 in UTC, and the seconds that local time is ahead of UTC from then on; in
    /// their order. The first holds for all times before, too. Empty is UTC.
    changes: Vec<(i64, i32)>,
}

const DAY: i64 = 24 * 60 * 60;

impl TimeZone {
    /// The zone in which local time is ahead of UTC by `offset` at each moment, from `start` on for
    /// so many days.
    pub fn sampled(start: i64, days: u16, offset: impl Fn(i64) -> i32) -> Self {
        let mut changes = vec![(start, offset(start))];
        for day in 0..i64::from(days) {
            let (mut before, mut after) = (start + day * DAY, start + (day + 1) * DAY);
            let (old, new) = (offset(before), offset(after));
            if old == new {
                continue;
            }
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if offset(middle) == old {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            changes.push((after, new));
        }
        Self { changes }
    }

    /// How many seconds local time is ahead of UTC.
    fn offset(&self, moment: i64) -> i32 {
        let known = self.changes.partition_point(|(from, _)| *from <= moment);
        self.changes.get(known.saturating_sub(1)).map_or(0, |(_, offset)| *offset)
    }

    /// A moment, given as time since 1970 in UTC, in this zone.
    pub fn local(&self, since_1970: Duration) -> LocalTime {
        let moment = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX / 2);
        LocalTime {
            seconds: moment.saturating_add(self.offset(moment).into()),
            microseconds: since_1970.subsec_micros(),
        }
    }
}

/// A moment on the clocks of a zone, shown as httpd's log writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Seconds since 1970 on those clocks.
    seconds: i64,
    microseconds: u32,
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days of 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        let (year, month, day) = date(days);
        let name = |names: &[&'static str], place: i64| {
            usize::try_from(place).ok().and_then(|place| names.get(place).copied()).unwrap_or("???")
        };
        write!(
            f,
            "{} {} {day:02} {:02}:{:02}:{:02}.{:06} {year}",
            name(&WEEKDAYS, days.rem_euclid(7)),
            name(&MONTHS, month),
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.microseconds,
        )
    }
}

/// Year, month from 0 and day from 1 of a day counted from 1970. Years are taken to begin in March,
/// so that the day that comes and goes is their last.
fn date(days: i64) -> (i64, i64, i64) {
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12;
    (era * 400 + year + i64::from(month < 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(zone: &TimeZone, seconds: u64) -> String {
        zone.local(Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn moments_are_shown_as_httpd_does() {
        let utc = TimeZone::default();
        assert_eq!(shown(&utc, 0), "Thu Jan 01 00:00:00.000000 1970");
        assert_eq!(shown(&utc, 951_782_400), "Tue Feb 29 00:00:00.000000 2000");
        assert_eq!(shown(&utc, 4_107_542_399), "Sun Feb 28 23:59:59.000000 2100");
        assert_eq!(shown(&utc, 4_107_542_400), "Mon Mar 01 00:00:00.000000 2100");
        let moment = Duration::new(1_795_415_460, 123_456_789);
        assert_eq!(utc.local(moment).to_string(), "Mon Nov 23 06:31:00.123456 2026");
        let west = TimeZone { changes: vec![(0, -9 * 3600)] };
        assert_eq!(shown(&west, 0), "Wed Dec 31 15:00:00.000000 1969");
    }

    /// A clock that was set to nonsense must not end the process that writes a line.
    #[test]
    fn the_last_moments_are_shown() {
        let east = TimeZone { changes: vec![(0, 14 * 3600)] };
        for seconds in [i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
            assert!(!shown(&east, seconds).is_empty());
        }
        let far_west = TimeZone { changes: vec![(i64::MIN, i32::MIN)] };
        assert!(!shown(&far_west, 0).is_empty());
    }

    #[test]
    fn changes_are_found_to_the_second() {
        let summer =
            |moment: i64| if (1_000_000..3_000_000).contains(&moment) { 7200 } else { 3600 };
        let zone = TimeZone::sampled(500, 60, summer);
        assert_eq!(zone.changes, [(500, 3600), (1_000_000, 7200), (3_000_000, 3600)]);
        for moment in [0, 500, 999_999, 1_000_000, 2_999_999, 3_000_000, 9_000_000] {
            assert_eq!(zone.offset(moment), summer(moment), "{moment}");
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other(day in -800_000i64..800_000) {
            let ((year, month, of_month), next) = (date(day), date(day + 1));
            let follows = next == (year, month, of_month + 1)
                || next == (year, month + 1, 1)
                || (month == 11 && next == (year + 1, 0, 1));
            prop_assert!(follows && of_month <= 31 && month < 12, "{:?} {:?}", date(day), next);
        }
    }
}

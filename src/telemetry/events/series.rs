//! Which events are written: equal ones become one series, and many similar ones are told together.
//!
//! Pure: the time comes in as a parameter. An event is equal to another when all but its time is the same, and similar when
//! only the note differs. The bounds are those of client-go's event correlator: what people know from other controllers.

use std::collections::HashMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// After this long without an equal event, the next one is a new event.
const IDLE: SignedDuration = SignedDuration::from_mins(10);
/// A series is written at most this often. What happens between is counted, and told with the next write.
const WRITES: SignedDuration = SignedDuration::from_mins(1);
/// How many different notes of similar events are told one by one while they go on.
const MAX_SIMILAR: usize = 10;
/// How many series are remembered; more begin anew.
const MAX_SERIES: usize = 4096;
/// What the note of similar events begins with that are told together; client-go's text.
const COMBINED: &str = "(combined from similar events): ";

/// What makes events similar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// Of the object that the event is about.
    pub(super) uid: String,
    /// Whether it is a warning.
    pub(super) is_warning: bool,
    /// The reason.
    pub(super) reason: &'static str,
    /// The verb.
    pub(super) action: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    subject: Subject,
    /// None for those that are told together.
    note: Option<String>,
}

#[derive(Debug)]
struct Series {
    /// Of the Event object.
    name: String,
    count: i32,
    last_seen: Timestamp,
    last_written: Timestamp,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Write {
    /// A new Event with this name and note.
    Create {
        /// Its name.
        name: String,
        /// Its note.
        note: String,
    },
    /// The Event of this name happened again. Its note stays: the API server lets nothing change but the series.
    Repeat {
        /// Its name.
        name: String,
        /// How often it happened, all in all.
        count: i32,
    },
    /// Nothing: it was written a moment ago.
    Nothing,
}

/// The series of the last minutes.
#[derive(Debug, Default)]
pub(super) struct AllSeries(HashMap<Key, Series>);

impl AllSeries {
    /// Takes an event. `name` is the name that a new Event gets.
    pub(super) fn take(&mut self, subject: Subject, note: &str, name: String, now: Timestamp) -> Write {
        let (key, note) = self.key(subject, note, now);
        if let Some(series) = self.0.get_mut(&key).filter(|series| !series.is_over(now)) {
            series.count = series.count.saturating_add(1);
            series.last_seen = now;
            // The second one tells at once that there is a series.
            if series.count > 2 && now.duration_since(series.last_written) < WRITES {
                return Write::Nothing;
            }
            series.last_written = now;
            return Write::Repeat {
                name: series.name.clone(),
                count: series.count,
            };
        }
        self.make_room(now);
        let series = Series {
            name: name.clone(),
            count: 1,
            last_seen: now,
            last_written: now,
        };
        self.0.insert(key, series);
        Write::Create { name, note }
    }

    /// Forgets the series of an Event that could not be written, so that the next one begins anew.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.retain(|_, series| series.name != name);
    }

    fn key(&self, subject: Subject, note: &str, now: Timestamp) -> (Key, String) {
        let own = Key {
            subject,
            note: Some(note.to_owned()),
        };
        let is_known = self.0.get(&own).is_some_and(|series| !series.is_over(now));
        let is_similar =
            |(key, series): &(&Key, &Series)| key.subject == own.subject && key.note.is_some() && !series.is_over(now);
        if is_known || self.0.iter().filter(is_similar).count() < MAX_SIMILAR {
            return (own, note.to_owned());
        }
        let together = Key { note: None, ..own };
        (together, format!("{COMBINED}{note}"))
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() >= MAX_SERIES {
            self.0.retain(|_, series| !series.is_over(now));
        }
        if self.0.len() >= MAX_SERIES {
            self.0.clear();
        }
    }
}

impl Series {
    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_seen) >= IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(uid: &str) -> Subject {
        Subject {
            uid: uid.to_owned(),
            is_warning: true,
            reason: "FieldForced",
            action: "upgrade".to_owned(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_same_again_is_one_series_that_is_written_once_a_minute() {
        let mut series = AllSeries::default();
        let mut written = Vec::new();
        for second in 0..180 {
            let write = series.take(subject("a"), ".spec.replicas", format!("event-{second}"), at(second));
            if write != Write::Nothing {
                written.push((second, write));
            }
        }
        let repeat = |count| Write::Repeat {
            name: "event-0".to_owned(),
            count,
        };
        let first = Write::Create {
            name: "event-0".to_owned(),
            note: ".spec.replicas".to_owned(),
        };
        assert_eq!(
            written,
            [(0, first), (1, repeat(2)), (61, repeat(62)), (121, repeat(122))]
        );
        // Long after that it is news again.
        let later = series.take(subject("a"), ".spec.replicas", "later".to_owned(), at(179 + 600));
        assert!(matches!(later, Write::Create { .. }), "{later:?}");
    }

    #[test]
    fn what_differs_is_told_apart_until_it_is_too_much() {
        let mut series = AllSeries::default();
        let mut created = Vec::new();
        for number in 0..500 {
            if let Write::Create { note, .. } = series.take(
                subject("a"),
                &format!("field {number}"),
                format!("event-{number}"),
                at(0),
            ) {
                created.push(note);
            }
        }
        assert_eq!(created.len(), MAX_SIMILAR + 1);
        assert_eq!(created.first().unwrap(), "field 0");
        assert_eq!(created.last().unwrap(), "(combined from similar events): field 10");
        // Another object has its own.
        let other = series.take(subject("b"), "field 11", "other".to_owned(), at(0));
        assert!(matches!(other, Write::Create { note, .. } if note == "field 11"));
        // A note that is told by itself stays so.
        let known = series.take(subject("a"), "field 3", "x".to_owned(), at(1));
        assert!(matches!(known, Write::Repeat { name, count: 2, .. } if name == "event-3"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut series = AllSeries::default();
        for number in 0..2 * MAX_SERIES {
            series.take(subject(&number.to_string()), "note", number.to_string(), at(0));
        }
        assert!(series.0.len() <= MAX_SERIES);
    }

    #[test]
    fn an_event_that_was_not_written_begins_anew() {
        let mut series = AllSeries::default();
        series.take(subject("a"), "note", "first".to_owned(), at(0));
        series.forget("first");
        let again = series.take(subject("a"), "note", "second".to_owned(), at(1));
        assert!(matches!(again, Write::Create { name, .. } if name == "second"));
    }
}

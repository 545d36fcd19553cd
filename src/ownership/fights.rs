//! Who keeps overwriting whom: the rate of corrective writes of each contested field, and a breaker.
//!
//! Every forced field adds one to its heat, and heat fades with time by a factor e each minute, so that a steady rate of
//! n a minute settles near n (the measure of Config Sync's fight detector, here for each field and rival). At the
//! threshold the breaker opens; it closes when the heat is gone, that is, below [`GONE`]. Knows no clock and writes
//! nothing; bounded.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::class::Class;
use super::contested::ContestedField;
use super::path::FieldPath;
use super::policy::{Action, OnConflict, Rule};
use super::reference::ObjectReference;

/// How many contested fields are watched; the coolest is forgotten first.
pub const MAX_WATCHED: usize = 4096;

/// The heat below which a fight is over: less than one corrective write. Well below any threshold, so that a breaker does
/// not open and close with every write.
pub const GONE: f64 = 1.0;

/// The heat below which a field is not watched any more: it adds nothing that matters to the next write's.
const FORGOTTEN: f64 = 0.01;

/// One field and the manager that contests it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rivalry {
    /// The object.
    pub object: ObjectReference,
    /// The field.
    pub path: FieldPath,
    /// The rival's name.
    pub manager: String,
}

/// A field that is overwritten again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fight {
    /// Which field, and against whom.
    pub rivalry: Rivalry,
    /// Corrective writes a minute when the breaker opened, rounded: it stays the same while the fight lasts, so that
    /// what is said of it does not change either.
    pub rate: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Heat {
    value: f64,
    since: Timestamp,
    /// The rate when the breaker opened, while it is open.
    open: Option<u32>,
}

impl Heat {
    fn at(self, now: Timestamp) -> f64 {
        let minutes = now.duration_since(self.since).as_secs_f64() / 60.0;
        self.value * (-minutes.max(0.0)).exp()
    }

    /// The rate at which the fight began, if it goes on.
    fn fight(self, now: Timestamp) -> Option<u32> {
        self.open.filter(|_| self.at(now) >= GONE)
    }

    /// The heat after one more corrective write.
    fn after_write(self, threshold: u32, now: Timestamp) -> Self {
        let value = self.at(now) + 1.0;
        let opens = || (value >= f64::from(threshold)).then(|| rounded(value));
        Self {
            value,
            since: now,
            open: self.fight(now).or_else(opens),
        }
    }

    /// When it is gone if no write follows; rounded up, so that at that time it is.
    fn gone_at(self) -> Option<Timestamp> {
        let seconds = (self.value / GONE).ln().max(0.0) * 60.0;
        self.since
            .checked_add(SignedDuration::from_secs_f64(seconds.ceil() + 1.0))
            .ok()
    }
}

/// Whether a write took a field back: from its owner, or from whoever removed it.
fn is_corrective(field: &ContestedField) -> bool {
    field.action == Action::Forced || field.class == Class::Lost && field.action == Action::Resolved
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a heat is small and not negative, and the cast saturates"
)]
fn rounded(heat: f64) -> u32 {
    heat.round() as u32
}

/// The heat of the contested fields of one release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fights {
    heats: BTreeMap<Rivalry, Heat>,
}

impl Fights {
    /// Takes note of what a write did to an object's contested fields, and gives the fights that began with it.
    ///
    /// `threshold` is the number of corrective writes a minute on one field from which on it counts as a fight.
    pub fn observe(
        &mut self,
        object: &ObjectReference,
        contested: &[ContestedField],
        threshold: u32,
        now: Timestamp,
    ) -> Vec<Fight> {
        let mut began = Vec::new();
        for field in contested.iter().filter(|field| is_corrective(field)) {
            let Some(path) = field.path.clone() else { continue };
            let rivalry = Rivalry {
                object: object.clone(),
                path,
                manager: field.manager.name.clone(),
            };
            let cold = Heat {
                value: 0.0,
                since: now,
                open: None,
            };
            let before = self.heats.get(&rivalry).copied().unwrap_or(cold);
            let after = before.after_write(threshold, now);
            if let (None, Some(rate)) = (before.fight(now), after.open) {
                began.push(Fight {
                    rivalry: rivalry.clone(),
                    rate,
                });
            }
            self.heats.insert(rivalry, after);
        }
        self.forget_coolest(now);
        began
    }

    fn forget_coolest(&mut self, now: Timestamp) {
        self.heats.retain(|_, heat| heat.at(now) >= FORGOTTEN);
        while self.heats.len() > MAX_WATCHED {
            let coolest = self
                .heats
                .iter()
                .min_by(|(_, a), (_, b)| a.at(now).total_cmp(&b.at(now)));
            let Some(coolest) = coolest.map(|(rivalry, _)| rivalry.clone()) else {
                break;
            };
            self.heats.remove(&coolest);
        }
    }

    /// The fights that go on now, in order; a field that has cooled down is none any more.
    pub fn going_on(&self, now: Timestamp) -> Vec<Fight> {
        let fight = |(rivalry, heat): (&Rivalry, &Heat)| {
            heat.fight(now).map(|rate| Fight {
                rivalry: rivalry.clone(),
                rate,
            })
        };
        self.heats.iter().filter_map(fight).collect()
    }

    /// When the next of the fights that go on now is over, if nothing is written before.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let fighting = self.heats.values().filter(|heat| heat.fight(now).is_some());
        fighting.filter_map(|heat| heat.gone_at()).min()
    }

    /// Forgets a field, for example when a person has decided about it.
    pub fn forget(&mut self, rivalry: &Rivalry) {
        self.heats.remove(rivalry);
    }
}

impl fmt::Display for Fight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rivalry, rate } = self;
        let Rivalry { object, path, manager } = rivalry;
        write!(
            f,
            "{object} {path} is overwritten by {manager:?} and taken back about {rate} times a minute"
        )
    }
}

impl Fight {
    /// The rule that breaks the fight; it goes before the release's own rules.
    pub fn breaker(&self, then: OnConflict) -> Rule {
        let Rivalry { object, path, manager } = &self.rivalry;
        Rule::exactly("fights", object, path, manager, then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::class::Class;
    use crate::ownership::managed::{Manager, Operation};
    use crate::ownership::policy::{Contest, Moment, Policy, Subject};

    fn object() -> ObjectReference {
        ObjectReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("a".into()),
            name: "a.b".into(),
        }
    }

    fn rival() -> Manager {
        Manager {
            name: "ops (v1)".into(),
            operation: Operation::Apply,
            subresource: None,
            api_version: None,
            time: None,
        }
    }

    fn forced(path: &FieldPath) -> ContestedField {
        ContestedField {
            field: path.to_string(),
            path: Some(path.clone()),
            ours: None,
            theirs: None,
            manager: rival(),
            class: Class::Real,
            action: Action::Forced,
            rule: "r".into(),
        }
    }

    fn fights(seconds: &[i64], now: i64) -> Vec<Fight> {
        let field = forced(&".data.x".parse().unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut fights = Fights::default();
        for second in seconds {
            fights.observe(&object(), std::slice::from_ref(&field), 5, at(*second));
        }
        fights.going_on(at(now))
    }

    #[test]
    fn a_burst_is_a_fight_and_a_trickle_is_none() {
        assert_eq!(fights(&[0, 1, 2, 3, 4, 5], 5).len(), 1);
        assert!(fights(&[0, 1, 2, 3], 3).is_empty());
        assert!(fights(&[0, 60, 120, 180, 240, 300, 360], 360).is_empty());
        assert!(fights(&[0, 1, 2, 3, 4, 5], 120).is_empty(), "it cools down by itself");
        let steady: Vec<i64> = (0..60).map(|n| n * 10).collect();
        assert_eq!(
            fights(&steady, 590).first().unwrap().rate,
            5,
            "as it was at the beginning"
        );
        assert!(
            fights(&(0..60).map(|n| n * 20).collect::<Vec<_>>(), 1180).is_empty(),
            "3 a minute"
        );
    }

    #[test]
    fn a_breaker_stays_open_until_the_heat_is_gone() {
        let burst = [0, 1, 2, 3, 4, 5];
        assert_eq!(fights(&burst, 60).len(), 1, "cooler than the threshold, but not gone");
        assert!(fights(&burst, 115).is_empty());
        let path: FieldPath = ".data.x".parse().unwrap();
        let field = forced(&path);
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut fights = Fights::default();
        let began: Vec<usize> = (0..7)
            .map(|second| {
                fights
                    .observe(&object(), std::slice::from_ref(&field), 5, at(second))
                    .len()
            })
            .collect();
        assert_eq!(began, [0, 0, 0, 0, 0, 1, 0], "a fight begins once");
        let end = fights.next_end(at(6)).unwrap();
        assert_eq!(fights.next_end(end), None);
        assert!(fights.going_on(end).is_empty());
    }

    #[test]
    fn the_breaker_is_about_exactly_this_field_and_rival() {
        let fight = fights(&[0, 1, 2, 3, 4, 5], 5).pop().unwrap();
        let policy = Policy {
            release_rules: vec![fight.breaker(OnConflict::HandOff)],
            on_conflict: OnConflict::Force,
            ..Policy::default()
        };
        let moment = Moment {
            now: Timestamp::UNIX_EPOCH,
            retries_exhausted: false,
        };
        let action = |object: &ObjectReference, path: &str, manager: &Manager| {
            let path = path.parse().unwrap();
            policy
                .decide(
                    &Contest {
                        subject: Subject::named(object),
                        path: Some(&path),
                        manager,
                        ours: None,
                        class: Class::Real,
                    },
                    moment,
                )
                .action
        };
        assert_eq!(action(&object(), ".data.x", &rival()), Action::HandedOff);
        assert_eq!(action(&object(), ".data.y", &rival()), Action::Forced);
        assert_eq!(
            action(
                &ObjectReference {
                    name: "aXb".into(),
                    ..object()
                },
                ".data.x",
                &rival()
            ),
            Action::Forced
        );
        assert_eq!(
            action(
                &object(),
                ".data.x",
                &Manager {
                    name: "ops v1".into(),
                    ..rival()
                }
            ),
            Action::Forced
        );
    }
}

//! Who keeps overwriting whom: the rate of corrective writes of each contested field, and a breaker.
//!
//! Every forced field adds one to its heat, and heat fades with time by a factor e each minute, so that a steady rate of
//! n a minute settles near n. Knows no clock and writes nothing; bounded.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::contested::ContestedField;
use super::path::FieldPath;
use super::policy::Action;
use super::policy::OnConflict;
use super::policy::Rule;
use super::reference::ObjectReference;

/// How many contested fields are watched; the coolest is forgotten first.
pub const MAX_WATCHED: usize = 4096;

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
    /// Corrective writes a minute, about.
    pub rate: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Heat {
    value: f64,
    since: Timestamp,
}

impl Heat {
    fn at(self, now: Timestamp) -> f64 {
        let minutes = now.duration_since(self.since).as_secs_f64() / 60.0;
        self.value * (-minutes.max(0.0)).exp()
    }
}

/// The heat of the contested fields of one release.
#[derive(Debug, Clone, PartialEq)]
pub struct Fights {
    threshold: f64,
    heats: BTreeMap<Rivalry, Heat>,
}

impl Fights {
    /// `threshold` is the number of corrective writes a minute on one field from which on it counts as a fight.
    pub fn new(threshold: u32) -> Self {
        Self {
            threshold: f64::from(threshold),
            heats: BTreeMap::new(),
        }
    }

    /// Takes note of what a write did to an object's contested fields.
    pub fn observe(&mut self, object: &ObjectReference, contested: &[ContestedField], now: Timestamp) {
        for field in contested.iter().filter(|field| field.action == Action::Forced) {
            let Some(path) = field.path.clone() else { continue };
            let rivalry = Rivalry {
                object: object.clone(),
                path,
                manager: field.manager.name.clone(),
            };
            let before = self.heats.get(&rivalry).map_or(0.0, |heat| heat.at(now));
            self.heats.insert(
                rivalry,
                Heat {
                    value: before + 1.0,
                    since: now,
                },
            );
        }
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
        let hot = self.heats.iter().map(|(rivalry, heat)| (rivalry, heat.at(now)));
        hot.filter(|(_, rate)| *rate >= self.threshold)
            .map(|(rivalry, rate)| Fight {
                rivalry: rivalry.clone(),
                rate,
            })
            .collect()
    }

    /// Forgets a field, for example when a person has decided about it.
    pub fn forget(&mut self, rivalry: &Rivalry) {
        self.heats.remove(rivalry);
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
    use crate::ownership::managed::Manager;
    use crate::ownership::managed::Operation;
    use crate::ownership::policy::Contest;
    use crate::ownership::policy::Moment;
    use crate::ownership::policy::Policy;

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

    fn fights(seconds: &[i64], now: i64) -> Vec<Fight> {
        let path: FieldPath = ".data.x".parse().unwrap();
        let field = ContestedField {
            field: path.to_string(),
            path: Some(path),
            ours: None,
            theirs: None,
            manager: rival(),
            class: Class::Real,
            action: Action::Forced,
            rule: "r".into(),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut fights = Fights::new(5);
        for second in seconds {
            fights.observe(&object(), std::slice::from_ref(&field), at(*second));
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
        let rate = fights(&steady, 590).first().unwrap().rate;
        assert!((5.5..7.5).contains(&rate), "6 a minute: {rate}");
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
                        object,
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

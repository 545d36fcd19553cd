//! What the watches of children have told, as plain data.
//!
//! Pure.

use std::collections::{HashMap, HashSet};

use super::delivered::Child;
use crate::cluster::observe::{LiveMetadata, is_older};
use crate::ownership::reference::ObjectReference;

/// Group and kind of a watch: versions of one kind are the same objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Watched {
    pub(super) group: String,
    pub(super) kind: String,
}

/// The identity of a live object, whatever version it is read in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) watched: Watched,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Identity {
    pub(super) fn of(reference: &ObjectReference) -> Self {
        Self {
            watched: Watched {
                group: reference.group().to_owned(),
                kind: reference.kind.clone(),
            },
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        }
    }
}

/// What the watches have told so far.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Kinds whose watch was started.
    pub(super) started: HashSet<Watched>,
    /// Kinds whose watch has delivered its initial list.
    pub(super) synced: HashSet<Watched>,
    pub(super) objects: HashMap<Identity, Child>,
    /// The resourceVersion of what Fairlead itself wrote last, so that its own writes wake nobody.
    pub(super) written: HashMap<Identity, String>,
}

impl State {
    /// What is known of an object. A watch that has not come to Fairlead's own last write yet tells nothing of it.
    pub(super) fn known(&self, identity: &Identity) -> Known {
        if !self.synced.contains(&identity.watched) {
            return Known::Unknown;
        }
        let Some(Child { live, health: _ }) = self.objects.get(identity) else {
            return Known::Absent;
        };
        let written = self.written.get(identity);
        if written.is_some_and(|written| is_older(&live.resource_version, written)) {
            return Known::Unknown;
        }
        Known::Present(live.clone())
    }

    /// Takes note of an object; says whether Fairlead itself left it so.
    pub(super) fn changed_to(&mut self, identity: Identity, child: Child) -> bool {
        let version = &child.live.resource_version;
        let is_ours = self.written.get(&identity).is_some_and(|written| written == version);
        self.objects.insert(identity, child);
        is_ours
    }

    /// Takes note that an object is gone since this version. Fairlead may have created another one of its name meanwhile.
    pub(super) fn gone(&mut self, identity: &Identity, version: &str) {
        self.objects.remove(identity);
        if self
            .written
            .get(identity)
            .is_some_and(|written| !is_older(version, written))
        {
            self.written.remove(identity);
        }
    }
}

/// What is known about a live object without asking the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It exists.
    Present(LiveMetadata),
    /// It does not exist, or does not carry Fairlead's label.
    Absent,
    /// Its kind is not watched, or not synced yet.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::of(&ObjectReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            namespace: Some("prod".to_owned()),
            name: "seed".to_owned(),
        })
    }

    fn child(uid: &str, version: &str) -> Child {
        let live = LiveMetadata {
            uid: uid.to_owned(),
            resource_version: version.to_owned(),
            fingerprint: String::new(),
            terminating: false,
            left_alone: false,
        };
        Child { live, health: None }
    }

    #[test]
    fn a_watch_that_lags_behind_our_own_write_tells_nothing() {
        let mut state = State::default();
        assert_eq!(state.known(&identity()), Known::Unknown);
        state.synced.insert(identity().watched);
        assert_eq!(state.known(&identity()), Known::Absent);
        assert!(!state.changed_to(identity(), child("first", "9")));
        assert_eq!(state.known(&identity()), Known::Present(child("first", "9").live));

        // The first one was deleted, and another one created in its place.
        state.written.insert(identity(), "12".to_owned());
        assert_eq!(state.known(&identity()), Known::Unknown);
        state.changed_to(identity(), child("first", "10"));
        assert_eq!(state.known(&identity()), Known::Unknown);
        state.gone(&identity(), "11");
        assert!(state.changed_to(identity(), child("second", "12")));
        assert_eq!(state.known(&identity()), Known::Present(child("second", "12").live));
        assert!(!state.changed_to(identity(), child("second", "13")));
        state.gone(&identity(), "14");
        assert!(state.written.is_empty() && state.known(&identity()) == Known::Absent);
    }
}

//! Names of fields and variables, each kept once: a chart says `.Values` a thousand times.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::template::value::Text;

/// The names of a set of templates that is being parsed.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Text, RandomState>);

impl Names {
    /// The name, shared with whoever has it already.
    pub(super) fn share(&mut self, name: &[u8]) -> Text {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let new = Text::from(name);
        self.0.insert(new.clone());
        new
    }
}

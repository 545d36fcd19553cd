//! The parsed texts of `tpl`: charts pass the same text many times, mostly soon again.
//!
//! Knows nothing of what is in them. Two generations are kept: what is not asked for while a generation fills up is forgotten with
//! the next one, so that a chart with thousands of texts does not keep the trees of all.

use super::tree::Templates;
use super::value::Text;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::rc::Rc;

/// How many bytes of text a generation has before the next one begins. Trees take some 16 times as much.
const GENERATION: usize = 32 << 10;

/// Templates by the text that they were parsed from.
#[derive(Default)]
pub(super) struct Texts {
    young: HashMap<Text, Rc<Templates>, RandomState>,
    old: HashMap<Text, Rc<Templates>, RandomState>,
    /// Bytes of the young texts.
    bytes: usize,
}

impl Texts {
    /// What was parsed from a text, if that is still known.
    pub(super) fn get(&mut self, text: &Text) -> Option<Rc<Templates>> {
        if let Some(templates) = self.young.get(text) {
            return Some(Rc::clone(templates));
        }
        let (text, templates) = self.old.remove_entry(text)?;
        self.insert(text, Rc::clone(&templates));
        Some(templates)
    }

    /// Keeps what was parsed from a text.
    pub(super) fn insert(&mut self, text: Text, templates: Rc<Templates>) {
        if self.bytes > GENERATION {
            // The memory of the table stays.
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        self.young.insert(text, templates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: usize) -> Text {
        Text::from(format!("{number:1024}").as_str())
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut texts = Texts::default();
        for number in 0..1000 {
            texts.insert(text(number), Rc::default());
            assert!(texts.get(&text(number)).is_some(), "{number}");
            assert!(texts.get(&text(0)).is_some(), "after {number}");
        }
        let kept = (0..1000).filter(|number| texts.get(&text(*number)).is_some()).count();
        assert!((32..=67).contains(&kept), "{kept} texts of 1 KiB are kept");
        assert!(texts.get(&text(1)).is_none());
    }
}

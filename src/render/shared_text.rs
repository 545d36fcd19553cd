//! Parts of a text that share its memory: a template's output is kept once, however many documents it has.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of a text. Cheap to clone.
#[derive(Clone, Default)]
pub struct SharedText {
    whole: Arc<String>,
    part: Range<usize>,
}

impl SharedText {
    /// The part of a text that `part` points into; empty if it points elsewhere.
    pub(super) fn part_of(whole: &Arc<String>, part: &str) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self {
            whole: Arc::clone(whole),
            part: start..start.wrapping_add(part.len()),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.whole.get(self.part.clone()).unwrap_or_default()
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self {
            part: 0..text.len(),
            whole: Arc::new(text),
        }
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_it_points_to() {
        let whole = Arc::new("one two".to_owned());
        assert_eq!(SharedText::part_of(&whole, &whole[4..]).as_str(), "two");
        assert_eq!(SharedText::part_of(&whole, &whole[7..]).as_str(), "");
        assert_eq!(SharedText::part_of(&whole, "elsewhere").as_str(), "");
        assert_eq!(&*SharedText::from("all".to_owned()), "all");
    }
}

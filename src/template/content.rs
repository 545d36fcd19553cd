//! The bytes of a file: a part of whatever it was read with, shared and never copied.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::value::Text;

/// The content of a file. Cheap to clone: an archive is in memory once, and each of its files is a part of it.
#[derive(Clone)]
pub struct Content {
    whole: Whole,
    /// Within `whole`.
    part: Range<usize>,
}

#[derive(Clone)]
enum Whole {
    Bytes(Arc<Vec<u8>>),
    Text(Text),
}

impl Content {
    /// A part of bytes; nothing where they do not reach.
    pub fn part_of(whole: &Arc<Vec<u8>>, part: Range<usize>) -> Self {
        let end = part.end.min(whole.len());
        Self {
            whole: Whole::Bytes(Arc::clone(whole)),
            part: part.start.min(end)..end,
        }
    }

    /// Without its first bytes, if they are these.
    #[must_use]
    pub fn without_prefix(mut self, prefix: &[u8]) -> Self {
        if self.starts_with(prefix) {
            self.part.start += prefix.len();
        }
        self
    }

    /// Whether both are the very same memory.
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(&raw const **self, &raw const **other)
    }

    /// A value for templates.
    pub fn to_text(&self) -> Text {
        match &self.whole {
            Whole::Text(text) if self.part == (0..text.len()) => text.clone(),
            Whole::Text(_) | Whole::Bytes(_) => Text::from(&**self),
        }
    }

    /// The text with each invalid byte sequence replaced by U+FFFD.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self)
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let whole: &[u8] = match &self.whole {
            Whole::Bytes(bytes) => bytes,
            Whole::Text(text) => text,
        };
        whole.get(self.part.clone()).unwrap_or_default()
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            part: 0..bytes.len(),
            whole: Whole::Bytes(Arc::new(bytes)),
        }
    }
}

impl From<Text> for Content {
    fn from(text: Text) -> Self {
        Self {
            part: 0..text.len(),
            whole: Whole::Text(text),
        }
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&String> for Content {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shares_the_memory_of_the_whole() {
        let whole = Arc::new(b"\xEF\xBB\xBFone two".to_vec());
        let one = Content::part_of(&whole, 0..6).without_prefix(b"\xEF\xBB\xBF");
        assert_eq!(&*one, b"one");
        assert!(one.is_same(&one.clone()));
        assert!(!one.is_same(&Content::from("one")) && one == Content::from("one"));
        assert_eq!(&*Content::part_of(&whole, 7..99), b"two");
        assert_eq!(&*Content::part_of(&whole, 50..99), b"");
        assert_eq!(one.to_text(), Text::from("one"));
    }
}

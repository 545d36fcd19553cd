//! Go strings and byte slices: shared, immutable bytes, not necessarily UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A Go `string`. Shared between values, and between parsed templates of several threads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are the very same memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The text with each invalid byte sequence replaced by U+FFFD.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        // The standard library's lossy conversion looks at each byte; its check for valid text does not.
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&self.0),
        }
    }

    /// The text, when it is valid UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::from("")
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), formatter)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_str_lossy())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Arc<[u8]>> for Text {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// A Go `[]byte`, which may be nil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(Option<Text>);

impl Bytes {
    /// The nil slice.
    pub fn nil() -> Self {
        Self(None)
    }

    /// A slice that is not nil.
    pub fn new(bytes: impl Into<Text>) -> Self {
        Self(Some(bytes.into()))
    }

    /// The content; empty for nil.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The content as a string that shares the memory.
    pub fn to_text(&self) -> Text {
        self.0.clone().unwrap_or_default()
    }

    /// Whether this is the nil slice.
    pub fn is_nil(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nil_slice_is_empty_but_not_equal_to_an_empty_one() {
        assert!(Bytes::nil().is_empty() && Bytes::nil().is_nil());
        assert!(Bytes::new("").is_empty() && !Bytes::new("").is_nil());
        assert_ne!(Bytes::nil(), Bytes::new(""));
    }

    #[test]
    fn text_orders_by_bytes() {
        assert!(Text::from("Z") < Text::from("a"));
        assert!(Text::from("a") < Text::from("a0"));
        assert!(Text::from("z") < Text::from(vec![0xff]));
    }
}

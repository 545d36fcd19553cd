//! What is wrong with a `--set` text, in Helm's words.

use super::{MAX_INDEX, MAX_ITEMS, MAX_NESTED_NAMES, MAX_PATH};

/// Why a text sets nothing. None of these is worth a retry. Names and texts are already in Go's quotes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrvalsError {
    /// A name without `=`.
    #[error("key {0} has no value")]
    NoValue(String),
    /// A name with `,` behind it.
    #[error("key {0} has no value (cannot end with ,)")]
    EndsWithComma(String),
    /// A name with `.` and nothing behind it.
    #[error("key map {0} has no value")]
    EmptyMap(String),
    /// Something between `[` and `]` that is no number.
    #[error("error parsing index: {0}")]
    BadIndex(String),
    /// An index below zero.
    #[error("negative {0} index not allowed")]
    NegativeIndex(i64),
    /// An index above [`MAX_INDEX`].
    #[error("index of {0} is greater than maximum supported index of {MAX_INDEX}")]
    IndexTooLarge(i64),
    /// Something between `]` and what may follow it.
    #[error("unexpected data at end of array index: {0}")]
    BehindIndex(String),
    /// `{` without `}`.
    #[error("list must terminate with '}}'")]
    OpenList,
    /// More than [`MAX_NESTED_NAMES`] names.
    #[error("value name nested level is greater than maximum supported nested level of {MAX_NESTED_NAMES}")]
    TooManyNames,
    /// The path goes through a value that is there already and is of another kind.
    #[error("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")]
    WrongKind {
        /// Go's name of the type that is there.
        found: &'static str,
        /// Go's name of the type that the path needs.
        wanted: &'static str,
    },
    /// `--set-json` with something else than JSON.
    #[error("{0}")]
    Json(String),
    /// `--set-file` with a file that could not be read.
    #[error("{0}")]
    File(String),
    /// More lists and maps in one path than [`MAX_PATH`]: Fairlead's own bound.
    #[error("the path goes through more than {MAX_PATH} lists and maps")]
    TooDeep,
    /// More list items than [`MAX_ITEMS`]: Fairlead's own bound.
    #[error("the text makes lists of more than {MAX_ITEMS} items in all")]
    TooManyItems,
}

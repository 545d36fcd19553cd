//! Paths: Go's `path`, and `path/filepath` as it is on Linux, where Helm's output is made.

use crate::go::path;
use crate::template::function::{Function, function};
use crate::template::value::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("base", base, (&Text) -> Text),
    function!("dir", dir, (&Text) -> Vec<u8>),
    function!("clean", clean, (&Text) -> Vec<u8>),
    function!("ext", ext, (&Text) -> Text),
    function!("isAbs", is_abs, (&Text) -> bool),
    function!("osBase", base, (&Text) -> Text),
    function!("osDir", dir, (&Text) -> Vec<u8>),
    function!("osClean", clean, (&Text) -> Vec<u8>),
    function!("osExt", ext, (&Text) -> Text),
    function!("osIsAbs", is_abs, (&Text) -> bool),
];

fn base(text: &Text) -> Text {
    path::base(text).into()
}

fn dir(text: &Text) -> Vec<u8> {
    path::dir(text)
}

fn clean(text: &Text) -> Vec<u8> {
    path::clean(text)
}

fn ext(text: &Text) -> Text {
    path::ext(text).into()
}

fn is_abs(text: &Text) -> bool {
    path::is_abs(text)
}

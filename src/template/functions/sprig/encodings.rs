//! Base64 and base32. A text that cannot be decoded gives the error's text, not an error.

use crate::go::{base32, base64};
use crate::template::function::{Function, function};
use crate::template::value::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("b64enc", b64enc, (&Text) -> String),
    function!("b64dec", b64dec, (&Text) -> Vec<u8>),
    function!("b32enc", b32enc, (&Text) -> Vec<u8>),
    function!("b32dec", b32dec, (&Text) -> Vec<u8>),
];

fn b64enc(text: &Text) -> String {
    base64::encode(text)
}

fn b64dec(text: &Text) -> Vec<u8> {
    base64::decode(text).unwrap_or_else(|error| error.to_string().into_bytes())
}

fn b32enc(text: &Text) -> Vec<u8> {
    base32::encode(text)
}

fn b32dec(text: &Text) -> Vec<u8> {
    base32::decode(text).unwrap_or_else(|error| error.to_string().into_bytes())
}

//! Check sums, in hexadecimal (Adler-32 in decimal).

use std::fmt::Write as _;

use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512};

use crate::template::function::{Function, function};
use crate::template::value::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("sha1sum", sha1sum, (&Text) -> String),
    function!("sha256sum", sha256sum, (&Text) -> String),
    function!("sha512sum", sha512sum, (&Text) -> String),
    function!("adler32sum", adler32sum, (&Text) -> String),
];

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut output, byte| {
            // Writing to a String cannot fail.
            let _ = write!(output, "{byte:02x}");
            output
        })
}

fn sha1sum(text: &Text) -> String {
    hexadecimal(&Sha1::digest(text.as_bytes()))
}

fn sha256sum(text: &Text) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

fn sha512sum(text: &Text) -> String {
    hexadecimal(&Sha512::digest(text.as_bytes()))
}

fn adler32sum(text: &Text) -> String {
    const MODULUS: u32 = 65_521;
    let (low, high) = text.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    (high << 16 | low).to_string()
}

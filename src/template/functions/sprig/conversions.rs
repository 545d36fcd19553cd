//! Numbers from anything.

use super::print;
use crate::go::cast::{to_f64, to_i64};
use crate::go::strconv::{self, NumberFault};
use crate::template::function::{Function, Int, function};
use crate::template::value::{Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function!("int", int, (&Value) -> Int),
    function!("int64", to_i64, (&Value) -> i64),
    function!("float64", to_f64, (&Value) -> f64),
    function!("atoi", atoi, (&Text) -> Int),
    function!("toDecimal", to_decimal, (&Value) -> i64),
];

fn int(value: &Value) -> Int {
    Int(to_i64(value))
}

/// Sprig drops the error of `strconv.Atoi` and keeps the number that comes with it.
fn atoi(text: &Text) -> Int {
    Int(match strconv::atoi(text) {
        Ok(number) => number,
        Err(error) => nearest(text, error.reason),
    })
}

/// The number that Go returns together with an error: for one out of range, the nearest.
pub(super) fn nearest(text: &[u8], fault: NumberFault) -> i64 {
    match fault {
        NumberFault::Range if text.starts_with(b"-") => i64::MIN,
        NumberFault::Range => i64::MAX,
        NumberFault::Syntax | NumberFault::Base(_) => 0,
    }
}

/// From octal, whatever its name says.
fn to_decimal(value: &Value) -> i64 {
    strconv::parse_int(&print(value), 8, 64).unwrap_or(0)
}

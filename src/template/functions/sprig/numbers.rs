//! Arithmetic. Integers are `int64` and wrap around; every operand is cast on its own, so `add 1.5 1.5` is 2.

use super::message;
use crate::go::cast::{to_f64, to_i64};
use crate::go::decimal::{Decimal, DecimalError};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, Int, Type, Variadic, function};
use crate::template::value::{List, ListType, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("add1", add1, (&Value) -> i64),
    function!("add", add, (; &Value) -> i64),
    function!("sub", sub, (&Value, &Value) -> i64),
    function!("div", div, (&Value, &Value) -> Result<i64>),
    function!("mod", remainder, (&Value, &Value) -> Result<i64>),
    function!("mul", mul, (&Value; &Value) -> i64),
    function!("add1f", add1f, (&Value) -> Result<f64>),
    function!("addf", addf, (; &Value) -> Result<f64>),
    function!("subf", subf, (&Value; &Value) -> Result<f64>),
    function!("divf", divf, (&Value; &Value) -> Result<f64>),
    function!("mulf", mulf, (&Value; &Value) -> Result<f64>),
    function!("biggest", max, (&Value; &Value) -> i64),
    function!("max", max, (&Value; &Value) -> i64),
    function!("min", min, (&Value; &Value) -> i64),
    function!("maxf", maxf, (&Value; &Value) -> f64),
    function!("minf", minf, (&Value; &Value) -> f64),
    function!("ceil", ceil, (&Value) -> f64),
    function!("floor", floor, (&Value) -> f64),
    function!("round", round, (&Value, Int; f64) -> Result<f64>),
    function!("until", @context until, (Int) -> Result<Value> as Type::List(ListType::Int)),
    function!("untilStep", @context until_step, (Int, Int, Int) -> Result<Value> as Type::List(ListType::Int)),
    function!("seq", @context seq, (; Int) -> Result<String>),
];

fn add1(value: &Value) -> i64 {
    to_i64(value).wrapping_add(1)
}

fn add(values: Variadic<'_, &Value>) -> i64 {
    values
        .as_slice()
        .iter()
        .fold(0, |sum, value| sum.wrapping_add(to_i64(value)))
}

fn sub(left: &Value, right: &Value) -> i64 {
    to_i64(left).wrapping_sub(to_i64(right))
}

fn division_by_zero() -> FunctionError {
    message("runtime error: integer divide by zero")
}

fn div(left: &Value, right: &Value) -> Result<i64> {
    match to_i64(right) {
        0 => Err(division_by_zero()),
        right => Ok(to_i64(left).wrapping_div(right)),
    }
}

fn remainder(left: &Value, right: &Value) -> Result<i64> {
    match to_i64(right) {
        0 => Err(division_by_zero()),
        right => Ok(to_i64(left).wrapping_rem(right)),
    }
}

fn mul(first: &Value, rest: Variadic<'_, &Value>) -> i64 {
    rest.as_slice()
        .iter()
        .fold(to_i64(first), |product, value| product.wrapping_mul(to_i64(value)))
}

/// Applies an exact decimal operation from left to right.
fn fold(
    first: f64,
    rest: &[Value],
    operation: impl Fn(&Decimal, &Decimal) -> std::result::Result<Decimal, DecimalError>,
) -> Result<f64> {
    let mut result = Decimal::from_float(first).map_err(message)?;
    for value in rest {
        let operand = Decimal::from_float(to_f64(value)).map_err(message)?;
        result = operation(&result, &operand).map_err(message)?;
    }
    Ok(result.to_float())
}

fn add1f(value: &Value) -> Result<f64> {
    fold(to_f64(value), &[Value::Int(1)], |left, right| Ok(left.add(right)))
}

fn addf(values: Variadic<'_, &Value>) -> Result<f64> {
    fold(0.0, values.as_slice(), |left, right| Ok(left.add(right)))
}

fn subf(first: &Value, rest: Variadic<'_, &Value>) -> Result<f64> {
    fold(to_f64(first), rest.as_slice(), |left, right| Ok(left.subtract(right)))
}

fn divf(first: &Value, rest: Variadic<'_, &Value>) -> Result<f64> {
    fold(to_f64(first), rest.as_slice(), Decimal::divide)
}

fn mulf(first: &Value, rest: Variadic<'_, &Value>) -> Result<f64> {
    fold(to_f64(first), rest.as_slice(), |left, right| Ok(left.multiply(right)))
}

fn max(first: &Value, rest: Variadic<'_, &Value>) -> i64 {
    rest.as_slice().iter().map(to_i64).fold(to_i64(first), i64::max)
}

fn min(first: &Value, rest: Variadic<'_, &Value>) -> i64 {
    rest.as_slice().iter().map(to_i64).fold(to_i64(first), i64::min)
}

/// Go's `math.Max` and `math.Min` give NaN when there is one; Rust's leave it out.
fn pick(first: &Value, rest: &[Value], better: fn(f64, f64) -> f64) -> f64 {
    rest.iter().map(to_f64).fold(to_f64(first), |best, value| {
        if best.is_nan() || value.is_nan() {
            f64::NAN
        } else {
            better(best, value)
        }
    })
}

fn maxf(first: &Value, rest: Variadic<'_, &Value>) -> f64 {
    pick(first, rest.as_slice(), f64::max)
}

fn minf(first: &Value, rest: Variadic<'_, &Value>) -> f64 {
    pick(first, rest.as_slice(), f64::min)
}

fn ceil(value: &Value) -> f64 {
    to_f64(value).ceil()
}

fn floor(value: &Value) -> f64 {
    to_f64(value).floor()
}

/// Sprig's own rounding: up when the fraction reaches `threshold` (0.5), which a negative number's never does.
fn round(value: &Value, Int(places): Int, threshold: Variadic<'_, f64>) -> Result<f64> {
    let threshold = threshold.iter().next().transpose()?.unwrap_or(0.5);
    let scale = 10_f64.powi(i32::try_from(places.clamp(-400, 400)).unwrap_or(0));
    let scaled = scale * to_f64(value);
    let rounded = if scaled.fract() >= threshold {
        scaled.ceil()
    } else {
        scaled.floor()
    };
    Ok(rounded / scale)
}

fn until(context: &mut Context<'_>, Int(count): Int) -> Result<Value> {
    let step = if count < 0 { -1 } else { 1 };
    Ok(Value::List(List::ints(steps(context, 0, count, step)?)))
}

fn until_step(context: &mut Context<'_>, Int(start): Int, Int(stop): Int, Int(step): Int) -> Result<Value> {
    Ok(Value::List(List::ints(steps(context, start, stop, step)?)))
}

/// From `start` to before `stop`; nothing when the step leads away from it.
fn steps(context: &Context<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let towards = if stop < start { step < 0 } else { step > 0 };
    if !towards {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(stop).div_ceil(step.unsigned_abs());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    context.check_size(count.saturating_mul(size_of::<Value>()))?;
    let next = |current: &i64| current.checked_add(step);
    Ok(std::iter::successors(Some(start), next).take(count).collect())
}

/// As the command: last; first, last; first, step, last. The end is part of it.
fn seq(context: &mut Context<'_>, parameters: Variadic<'_, Int>) -> Result<String> {
    let parameters = parameters.collect()?;
    let towards = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let numbers = match parameters.as_slice() {
        [Int(end)] => {
            let step = towards(1, *end);
            steps(context, 1, end.saturating_add(step), step)?
        }
        [Int(start), Int(end)] => {
            let step = towards(*start, *end);
            steps(context, *start, end.saturating_add(step), step)?
        }
        [Int(start), Int(step), Int(end)] => {
            let direction = towards(*start, *end);
            if direction < 0 && *step > 0 {
                return Ok(String::new());
            }
            steps(context, *start, end.saturating_add(direction), *step)?
        }
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(texts.join(" "))
}

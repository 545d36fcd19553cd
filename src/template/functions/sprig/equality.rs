//! Go's `reflect.DeepEqual`.

use crate::template::value::{List, Map, Object, Underlying, Value};

/// How deep two values are compared; below that they count as equal, which ends cycles as Go's own memory of visited
/// pairs does.
const DEPTH: usize = 1_000;

/// Same types and same content; NaN differs from itself, nil from empty.
pub(super) fn deep_equal(left: &Value, right: &Value) -> bool {
    equal_within(left, right, DEPTH)
}

fn equal_within(left: &Value, right: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return true;
    };
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) | (Value::Int64(left), Value::Int64(right)) => left == right,
        (Value::Int32(left), Value::Int32(right)) => left == right,
        (Value::Uint8(left), Value::Uint8(right)) => left == right,
        (Value::Uint64(left), Value::Uint64(right)) => left == right,
        #[expect(clippy::float_cmp, reason = "Go compares exactly")]
        (Value::Float64(left), Value::Float64(right)) => left == right,
        #[expect(clippy::float_cmp, reason = "Go compares exactly")]
        (Value::Complex(left, left_i), Value::Complex(right, right_i)) => left == right && left_i == right_i,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::List(left), Value::List(right)) => lists_equal(left, right, below),
        (Value::Map(left), Value::Map(right)) => maps_equal(left, right, below),
        (Value::Object(left), Value::Object(right)) => objects_equal(left.as_ref(), right.as_ref(), below),
        _ => false,
    }
}

fn lists_equal(left: &List, right: &List, depth: usize) -> bool {
    left.list_type() == right.list_type()
        && left.is_nil() == right.is_nil()
        && left.len() == right.len()
        && (left.is_same(right)
            || left
                .iter()
                .zip(right)
                .all(|(left, right)| equal_within(left, right, depth)))
}

fn maps_equal(left: &Map, right: &Map, depth: usize) -> bool {
    if left.map_type() != right.map_type() {
        return false;
    }
    match (left.borrow(), right.borrow()) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            let same = |(key, value)| theirs.get(key).is_some_and(|other| equal_within(value, other, depth));
            ours.len() == theirs.len() && (left.is_same(right) || ours.iter().all(same))
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn objects_equal(left: &dyn Object, right: &dyn Object, depth: usize) -> bool {
    if left.type_name() != right.type_name() || left.is_nil() != right.is_nil() {
        return false;
    }
    match (left.underlying(), right.underlying()) {
        (Underlying::Scalar(left), Underlying::Scalar(right)) => equal_within(&left, &right, depth),
        (Underlying::Struct(left), Underlying::Struct(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|(left, right)| equal_within(&left.value, &right.value, depth))
        }
        (Underlying::Map(left), Underlying::Map(right)) => {
            left.len() == right.len()
                && left.iter().zip(&right).all(|((left_key, left), (right_key, right))| {
                    left_key == right_key && equal_within(left, right, depth)
                })
        }
        _ => false,
    }
}

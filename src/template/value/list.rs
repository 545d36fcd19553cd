//! Go slices other than `[]byte`. Nothing that a template can call writes into a slice, so a list never changes.

use super::{Text, Value, scope};
use std::rc::Rc;

/// The static type of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// `[]interface {}`.
    Any,
    /// `[]string`.
    String,
    /// `[]int`.
    Int,
    /// `[][]interface {}`.
    Lists,
    /// `[]map[string]interface {}`.
    Maps,
    /// `common.VersionSet`, Helm's type of `.Capabilities.APIVersions`, which has methods.
    VersionSet,
}

impl ListType {
    /// The type as `%T` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Lists => "[][]interface {}",
            Self::Maps => "[]map[string]interface {}",
            Self::VersionSet => "common.VersionSet",
        }
    }

    /// Whether elements are held in an interface (their static type is `interface {}`).
    pub fn holds_interfaces(self) -> bool {
        self == Self::Any
    }
}

/// A Go slice: immutable, shared, possibly nil.
#[derive(Clone)]
pub struct List {
    items: Rc<Items>,
}

struct Items {
    list_type: ListType,
    /// Go distinguishes nil from empty in JSON (`null` and `[]`) and in comparisons with nil.
    nil: bool,
    values: Vec<Value>,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(values: Vec<Value>) -> Self {
        Self::of(ListType::Any, values)
    }

    /// A slice of the given type. The caller sees to it that the elements are of that type.
    pub fn of(list_type: ListType, values: Vec<Value>) -> Self {
        Self {
            items: Rc::new(Items {
                list_type,
                nil: false,
                values,
            }),
        }
    }

    /// A `[]string`.
    pub fn strings<T: Into<Text>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::of(
            ListType::String,
            texts.into_iter().map(|text| Value::String(text.into())).collect(),
        )
    }

    /// A `[]int`.
    pub fn ints(numbers: impl IntoIterator<Item = i64>) -> Self {
        Self::of(ListType::Int, numbers.into_iter().map(Value::Int).collect())
    }

    /// The nil slice of the given type.
    pub fn nil(list_type: ListType) -> Self {
        Self {
            items: Rc::new(Items {
                list_type,
                nil: true,
                values: Vec::new(),
            }),
        }
    }

    /// The static type.
    pub fn list_type(&self) -> ListType {
        self.items.list_type
    }

    /// Whether this is the nil slice.
    pub fn is_nil(&self) -> bool {
        self.items.nil
    }

    /// The elements.
    pub fn as_slice(&self) -> &[Value] {
        &self.items.values
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.items.values.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.items.values.is_empty()
    }

    /// The elements, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Value> {
        self.items.values.iter()
    }

    /// Whether nobody else holds this list.
    pub(crate) fn is_unique(&self) -> bool {
        Rc::strong_count(&self.items) == 1
    }

    /// Whether both handles share one backing store.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.items, &other.items)
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        scope::release(self.values.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_list_is_dropped_without_recursion() {
        let mut value = Value::Nil;
        for _ in 0..200_000 {
            value = Value::list(vec![value]);
        }
        drop(value);
    }

    #[test]
    fn nil_and_empty_differ() {
        assert!(List::nil(ListType::String).is_nil());
        assert!(!List::strings(Vec::<&str>::new()).is_nil());
        assert_eq!(List::ints([1]).list_type().name(), "[]int");
    }
}

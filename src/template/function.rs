//! How a Go function looks to a template: its parameter types, its result type, and the Rust function behind it.
//!
//! The executor checks arguments against the declared types with Go's texts, so a function gets what it declares.

use super::context::Context;
use super::error::FunctionError;
use super::value::{Bytes, Kind, List, ListType, Map, MapType, Text, Value};
use std::marker::PhantomData;

/// A static Go type, as far as parameters and results need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`.
    Any,
    /// `reflect.Value`: takes everything, nil included, without a change. Only Go's builtins use it.
    Reflect,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint64`.
    Uint64,
    /// `float64`.
    Float64,
    /// `string`.
    String,
    /// `[]byte`.
    Bytes,
    /// A slice type.
    List(ListType),
    /// A map type.
    Map(MapType),
    /// A type of some other name, e.g. `time.Time`, and its kind.
    Named(&'static str, Kind),
}

impl Type {
    /// The type as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Bytes => "[]uint8",
            Self::List(list) => list.name(),
            Self::Map(map) => map.name(),
            Self::Named(name, _) => name,
        }
    }
}

/// The Rust side of a function. Arguments have the declared number and types.
pub type Body = fn(&mut Context<'_>, &[Value]) -> Result<Value, FunctionError>;

/// One entry of the function table. Made by the `function!` macro.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The name in templates.
    pub name: &'static str,
    /// Types of the fixed parameters.
    pub parameters: &'static [Type],
    /// Type of each further argument of a variadic function.
    pub variadic: Option<Type>,
    /// The result's static type.
    pub result: Type,
    /// What is called.
    pub body: Body,
    /// How its work grows with its arguments.
    pub cost: Cost,
}

/// How a function's work grows with its arguments. Texts are always counted by their length, and so is what comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Not at all, or no more than what comes out.
    #[default]
    Constant,
    /// With the entries of the dictionaries among them.
    Scans,
    /// With all that they hold, down to the leaves; or what comes out is a tree of its own.
    Walks,
    /// It makes keys, which takes long whatever the arguments are: so many of the limit's.
    Keys(u32),
}

impl Function {
    /// The same function, said to cost this.
    pub(crate) const fn costs(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }
}

/// A Rust type that can be a parameter of a template function.
pub trait Argument<'a>: Sized {
    /// The Go type that it stands for.
    const TYPE: Type;

    /// Takes the argument out of a value that the executor has checked.
    fn take(value: &'a Value) -> Result<Self, FunctionError>;
}

/// A Rust type that a template function can return.
pub trait Outcome {
    /// The Go type that it stands for.
    const TYPE: Type;

    /// The value or the error.
    fn outcome(self) -> Result<Value, FunctionError>;
}

/// Go's `int`, as opposed to `int64`, which is Rust's `i64` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int(pub i64);

/// The arguments of the variadic part, each of Go type `T`.
#[derive(Clone, Copy, Debug)]
pub struct Variadic<'a, T> {
    values: &'a [Value],
    element: PhantomData<T>,
}

impl<'a, T: Argument<'a>> Variadic<'a, T> {
    /// Wraps the remaining arguments.
    pub fn new(values: &'a [Value]) -> Self {
        Self {
            values,
            element: PhantomData,
        }
    }

    /// The arguments as they are.
    pub fn as_slice(&self) -> &'a [Value] {
        self.values
    }

    /// The arguments, taken one by one.
    pub fn iter(&self) -> impl Iterator<Item = Result<T, FunctionError>> + use<'a, T> {
        self.values.iter().map(T::take)
    }

    /// All arguments.
    pub fn collect(&self) -> Result<Vec<T>, FunctionError> {
        self.iter().collect()
    }
}

/// The error of an argument that is not of the declared type.
pub fn wrong_type(expected: Type, value: &Value) -> FunctionError {
    FunctionError::message(format!(
        "wrong type for value; expected {}; got {}",
        expected.name(),
        value.type_name()
    ))
}

/// Implements [`Argument`] for a type that sits in one variant of [`Value`].
macro_rules! argument {
    ($lifetime:lifetime, $rust:ty, $go:expr, $pattern:pat => $result:expr) => {
        impl<$lifetime> Argument<$lifetime> for $rust {
            const TYPE: Type = $go;

            fn take(value: &$lifetime Value) -> Result<Self, FunctionError> {
                match value {
                    $pattern => Ok($result),
                    other => Err(wrong_type(<Self as Argument<'_>>::TYPE, other)),
                }
            }
        }
    };
}

argument!('a, bool, Type::Bool, Value::Bool(value) => *value);
argument!('a, Int, Type::Int, Value::Int(value) => Int(*value));
argument!('a, i64, Type::Int64, Value::Int64(value) => *value);
argument!('a, f64, Type::Float64, Value::Float64(value) => *value);
argument!('a, &'a Text, Type::String, Value::String(value) => value);
argument!('a, &'a Bytes, Type::Bytes, Value::Bytes(value) => value);
argument!('a, &'a List, Type::List(ListType::Any), Value::List(value) => value);
argument!('a, &'a Map, Type::Map(MapType::Any), Value::Map(value) => value);

impl<'a> Argument<'a> for &'a Value {
    const TYPE: Type = Type::Any;

    fn take(value: &'a Value) -> Result<Self, FunctionError> {
        Ok(value)
    }
}

/// Implements [`Outcome`] for types that convert into a [`Value`].
macro_rules! outcome {
    ($($rust:ty => $go:expr, $convert:expr;)*) => {
        $(impl Outcome for $rust {
            const TYPE: Type = $go;

            fn outcome(self) -> Result<Value, FunctionError> {
                let convert: fn(Self) -> Value = $convert;
                Ok(convert(self))
            }
        })*
    };
}

outcome! {
    Value => Type::Any, |value| value;
    bool => Type::Bool, Value::Bool;
    Int => Type::Int, |Int(value)| Value::Int(value);
    i64 => Type::Int64, Value::Int64;
    u64 => Type::Uint64, Value::Uint64;
    f64 => Type::Float64, Value::Float64;
    Text => Type::String, Value::String;
    String => Type::String, Value::text;
    &'static str => Type::String, Value::text;
    Vec<u8> => Type::String, Value::text;
    Bytes => Type::Bytes, Value::Bytes;
    List => Type::List(ListType::Any), Value::List;
    Map => Type::Map(MapType::Any), |map| Value::Map(map.with_type(MapType::Any));
}

impl<T: Outcome, E: Into<FunctionError>> Outcome for Result<T, E> {
    const TYPE: Type = T::TYPE;

    fn outcome(self) -> Result<Value, FunctionError> {
        self.map_err(Into::into).and_then(T::outcome)
    }
}

/// A `[]string` result.
#[derive(Clone, Debug, Default)]
pub struct Strings(pub Vec<Text>);

impl Outcome for Strings {
    const TYPE: Type = Type::List(ListType::String);

    fn outcome(self) -> Result<Value, FunctionError> {
        Ok(Value::List(List::strings(self.0)))
    }
}

/// A `map[string]string` result.
#[derive(Clone, Debug, Default)]
pub struct StringMap(pub std::collections::BTreeMap<Text, Text>);

impl Outcome for StringMap {
    const TYPE: Type = Type::Map(MapType::Strings);

    fn outcome(self) -> Result<Value, FunctionError> {
        let entries = self
            .0
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect();
        Ok(Value::Map(Map::of(MapType::Strings, entries)))
    }
}

/// Hands out arguments one by one, for the `function!` macro.
#[derive(Debug)]
pub struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    /// Starts at the first argument.
    pub fn new(values: &'a [Value]) -> Self {
        Self(values)
    }

    /// The next argument as the declared type.
    pub fn take<T: Argument<'a>>(&mut self) -> Result<T, FunctionError> {
        let (first, rest) = self
            .0
            .split_first()
            .ok_or_else(|| FunctionError::message("missing argument"))?;
        self.0 = rest;
        T::take(first)
    }

    /// All further arguments.
    pub fn rest<T: Argument<'a>>(&mut self) -> Variadic<'a, T> {
        Variadic::new(std::mem::take(&mut self.0))
    }
}

/// One entry of a function table:
///
/// ```ignore
/// function!("trunc", trunc, (Int, &Text) -> Text)                 // func(int, string) string
/// function!("list", list, (; &Value) -> List)                     // func(...any) []any: takes Variadic<'_, &Value>
/// function!("default", default, (&Value; &Value) -> Value)        // func(any, ...any) any
/// function!("include", @context include, (&Text, &Value) -> Result<Text, FunctionError>)
/// ```
///
/// With `@context` the Rust function's first parameter is `&mut Context<'_>`. A result whose Go type is not the one of
/// its [`Outcome`] names it with `as`: `-> Result<Value, FunctionError> as Type::Named("time.Time", Kind::Struct)`.
macro_rules! function {
    ($name:literal, @context $body:expr, ($($parameter:ty),* $(; $rest:ty)?) -> $result:ty $(as $type:expr)?) => {
        $crate::template::function::Function {
            name: $name,
            parameters: &[$(<$parameter as $crate::template::function::Argument<'_>>::TYPE),*],
            variadic: $crate::template::function::function!(@variadic $($rest)?),
            result: $crate::template::function::function!(@result $result $(as $type)?),
            body: |context, arguments| {
                #[allow(unused_mut, unused_variables, reason = "a function may have no parameters")]
                let mut arguments = $crate::template::function::Arguments::new(arguments);
                <$result as $crate::template::function::Outcome>::outcome(
                    $body(context, $(arguments.take::<$parameter>()?,)* $(arguments.rest::<$rest>())?),
                )
            },
            cost: $crate::template::function::Cost::Constant,
        }
    };
    ($name:literal, $body:expr, ($($parameter:ty),* $(; $rest:ty)?) -> $result:ty $(as $type:expr)?) => {
        $crate::template::function::Function {
            name: $name,
            parameters: &[$(<$parameter as $crate::template::function::Argument<'_>>::TYPE),*],
            variadic: $crate::template::function::function!(@variadic $($rest)?),
            result: $crate::template::function::function!(@result $result $(as $type)?),
            body: |_context, arguments| {
                #[allow(unused_mut, unused_variables, reason = "a function may have no parameters")]
                let mut arguments = $crate::template::function::Arguments::new(arguments);
                <$result as $crate::template::function::Outcome>::outcome(
                    $body($(arguments.take::<$parameter>()?,)* $(arguments.rest::<$rest>())?),
                )
            },
            cost: $crate::template::function::Cost::Constant,
        }
    };
    (@variadic) => { None };
    (@variadic $rest:ty) => { Some(<$rest as $crate::template::function::Argument<'_>>::TYPE) };
    (@result $result:ty as $type:expr) => { $type };
    (@result $result:ty) => { <$result as $crate::template::function::Outcome>::TYPE };
}
pub(crate) use function;

#[cfg(test)]
mod tests {
    use super::*;

    fn double(number: Int) -> Int {
        Int(number.0 * 2)
    }

    fn count(first: &Value, rest: Variadic<'_, &Text>) -> Result<i64, FunctionError> {
        let texts = rest.collect()?;
        Ok(i64::from(first.is_true()) + i64::try_from(texts.len()).unwrap())
    }

    const TABLE: &[Function] = &[
        function!("double", double, (Int) -> Int),
        function!("count", count, (&Value; &Text) -> Result<i64, FunctionError>),
        function!("none", || "x", () -> &'static str),
    ];

    #[test]
    fn the_macro_declares_go_types() {
        let [double, count, none] = TABLE else {
            panic!("three functions")
        };
        assert_eq!(
            (double.parameters, double.variadic, double.result),
            (&[Type::Int][..], None, Type::Int)
        );
        assert_eq!(
            (count.parameters, count.variadic),
            (&[Type::Any][..], Some(Type::String))
        );
        assert_eq!((none.parameters.len(), none.result), (0, Type::String));
    }

    #[test]
    fn a_type_prints_as_in_go() {
        assert_eq!(Type::Map(MapType::Values).name(), "common.Values");
        assert_eq!(Type::List(ListType::Any).name(), "[]interface {}");
    }
}

//! Semantic versions: `semver`, `semverCompare`, and the methods of what `semver` returns.

use std::any::Any;
use std::cmp::Ordering;

use super::message;
use crate::go::semver::{Constraint, Version};
use crate::template::error::FunctionError;
use crate::template::function::{Argument, Function, Int, Type, function, wrong_type};
use crate::template::value::{Field, Kind, Object, Text, Underlying, Value};

type Result<T> = std::result::Result<T, FunctionError>;

const POINTER: Type = Type::Named("*semver.Version", Kind::Pointer);
const VALUE: Type = Type::Named("semver.Version", Kind::Struct);

pub(super) const FUNCTIONS: &[Function] = &[
    function!("semver", semver, (&Text) -> Result<Value> as POINTER),
    function!("semverCompare", semver_compare, (&Text, &Text) -> Result<bool>),
];

/// The methods that both a version and a pointer to one have.
macro_rules! value_methods {
    ($($more:expr),* $(,)?) => {
        &[
            function!("String", |version: &Value| Ok(receiver(version)?.to_string()), (&Value) -> Result<String>),
            function!("Major", |version: &Value| Ok(receiver(version)?.major()), (&Value) -> Result<u64>),
            function!("Minor", |version: &Value| Ok(receiver(version)?.minor()), (&Value) -> Result<u64>),
            function!("Patch", |version: &Value| Ok(receiver(version)?.patch()), (&Value) -> Result<u64>),
            function!("Prerelease", prerelease, (&Value) -> Result<String>),
            function!("Metadata", metadata, (&Value) -> Result<String>),
            function!("IncMajor", |version: &Value| next(version, Version::next_major), (&Value) -> Result<Value> as VALUE),
            function!("IncMinor", |version: &Value| next(version, Version::next_minor), (&Value) -> Result<Value> as VALUE),
            function!("IncPatch", |version: &Value| next(version, Version::next_patch), (&Value) -> Result<Value> as VALUE),
            function!("SetPrerelease", set_prerelease, (&Value, &Text) -> Result<Value> as VALUE),
            function!("SetMetadata", set_metadata, (&Value, &Text) -> Result<Value> as VALUE),
            $($more),*
        ]
    };
}

const VALUE_METHODS: &[Function] = value_methods!();

const POINTER_METHODS: &[Function] = value_methods!(
    function!("Original", |version: &Value| Ok(receiver(version)?.original().to_owned()), (&Value) -> Result<String>),
    function!("Compare", compare, (&Value, &VersionObject) -> Result<Int>),
    function!("Equal", |a: &Value, b: &VersionObject| is(a, b, Ordering::is_eq), (&Value, &VersionObject) -> Result<bool>),
    function!("LessThan", |a: &Value, b: &VersionObject| is(a, b, Ordering::is_lt), (&Value, &VersionObject) -> Result<bool>),
    function!("LessThanEqual", |a: &Value, b: &VersionObject| is(a, b, Ordering::is_le), (&Value, &VersionObject) -> Result<bool>),
    function!("GreaterThan", |a: &Value, b: &VersionObject| is(a, b, Ordering::is_gt), (&Value, &VersionObject) -> Result<bool>),
    function!("GreaterThanEqual", |a: &Value, b: &VersionObject| is(a, b, Ordering::is_ge), (&Value, &VersionObject) -> Result<bool>),
);

/// A Masterminds version in a template.
#[derive(Debug)]
struct VersionObject {
    version: Version,
    /// `semver` returns a pointer, `IncMajor` and its kin a value.
    pointer: bool,
}

impl Object for VersionObject {
    fn type_name(&self) -> &'static str {
        if self.pointer { POINTER.name() } else { VALUE.name() }
    }

    fn kind(&self) -> Kind {
        if self.pointer { Kind::Pointer } else { Kind::Struct }
    }

    fn underlying(&self) -> Underlying {
        let version = &self.version;
        let fields = [
            ("major", Value::Uint64(version.major())),
            ("minor", Value::Uint64(version.minor())),
            ("patch", Value::Uint64(version.patch())),
            ("pre", Value::text(version.prerelease())),
            ("metadata", Value::text(version.metadata())),
            ("original", Value::text(version.original())),
        ];
        Underlying::Struct(
            fields
                .into_iter()
                .map(|(name, value)| Field {
                    name,
                    value,
                    interface: false,
                })
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stringer(&self) -> Option<Text> {
        Some(self.version.to_string().into())
    }

    fn methods(&self) -> &'static [Function] {
        if self.pointer { POINTER_METHODS } else { VALUE_METHODS }
    }

    fn encoded(&self) -> Option<Value> {
        Some(Value::text(self.version.to_string()))
    }
}

impl<'a> Argument<'a> for &'a VersionObject {
    const TYPE: Type = POINTER;

    fn take(value: &'a Value) -> Result<Self> {
        value.downcast().ok_or_else(|| wrong_type(POINTER, value))
    }
}

fn receiver(value: &Value) -> Result<&Version> {
    let object: &VersionObject = value.downcast().ok_or_else(|| wrong_type(POINTER, value))?;
    Ok(&object.version)
}

fn semver(text: &Text) -> Result<Value> {
    let version = Version::parse(&text.to_str_lossy()).map_err(message)?;
    Ok(Value::object(VersionObject { version, pointer: true }))
}

fn semver_compare(constraint: &Text, version: &Text) -> Result<bool> {
    let constraint = Constraint::parse(&constraint.to_str_lossy()).map_err(message)?;
    let version = Version::parse(&version.to_str_lossy()).map_err(message)?;
    Ok(constraint.check(&version))
}

fn prerelease(version: &Value) -> Result<String> {
    Ok(receiver(version)?.prerelease().to_owned())
}

fn metadata(version: &Value) -> Result<String> {
    Ok(receiver(version)?.metadata().to_owned())
}

fn derived<E: std::fmt::Display>(version: std::result::Result<Version, E>) -> Result<Value> {
    let version = version.map_err(message)?;
    Ok(Value::object(VersionObject {
        version,
        pointer: false,
    }))
}

fn next<E: std::fmt::Display>(version: &Value, step: fn(&Version) -> std::result::Result<Version, E>) -> Result<Value> {
    derived(step(receiver(version)?))
}

fn set_prerelease(version: &Value, text: &Text) -> Result<Value> {
    derived(receiver(version)?.with_prerelease(&text.to_str_lossy()))
}

fn set_metadata(version: &Value, text: &Text) -> Result<Value> {
    derived(receiver(version)?.with_metadata(&text.to_str_lossy()))
}

fn compare(left: &Value, right: &VersionObject) -> Result<Int> {
    Ok(Int(match receiver(left)?.compare(&right.version) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

fn is(left: &Value, right: &VersionObject, wanted: fn(Ordering) -> bool) -> Result<bool> {
    Ok(wanted(receiver(left)?.compare(&right.version)))
}

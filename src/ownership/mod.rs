//! Who owns which field: field sets, conflicts and their classes, policy, ledger.
//!
//! Pure: decisions are functions over values that the caller observed.

pub mod blame;
pub mod class;
pub mod conflict;
pub mod contention;
pub mod contested;
pub mod drift;
mod fields_v1;
pub mod fieldset;
pub mod fights;
pub mod intent;
pub mod ledger;
pub mod loss;
pub mod managed;
pub mod manager_class;
pub mod packed;
pub mod path;
mod path_parser;
pub mod pattern;
pub mod policy;
mod quantity;
pub mod redact;
pub mod reference;
pub mod shadow;
pub mod summary;
pub mod transfer;
pub mod union;
pub mod value;
pub mod wellknown;

pub use fields_v1::FieldsError;

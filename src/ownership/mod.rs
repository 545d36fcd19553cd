//! Who owns which field: field sets, conflicts and their classes, policy, ledger.
//!
//! Pure: decisions are functions over values that the caller observed.

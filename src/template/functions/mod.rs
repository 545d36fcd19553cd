//! The functions that templates call: one table, one module a family.

//! Charts: archive, metadata, ignore rules, values, dependencies, schema, capabilities.
//!
//! Pure: bytes come in, nothing is read from disk or network (that is `source`).

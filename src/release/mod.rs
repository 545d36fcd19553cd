//! Helm's release records: what Helm keeps of each revision of a release in the cluster.
//!
//! Pure. It reads what a record says (`record`) and which records there are (`label`); where they are kept, and how they are
//! listed, its callers know. A record is written by whoever may write Secrets in a namespace, so its sizes are bounded.

pub mod label;
pub mod record;

pub use label::{Labelled, newest_deployed};
pub use record::{ApplyMethod, Record, RecordError, Status};

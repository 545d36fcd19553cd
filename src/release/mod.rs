//! Helm's release records: what Helm keeps of each revision of a release in the cluster.
//!
//! Pure. It reads what a record says (`record`) and which records there are (`label`), and makes and changes records (`document`);
//! where they are kept, and how they are listed, its callers know. A record is written by whoever may write Secrets in a namespace, so its sizes are bounded.

pub mod document;
pub mod label;
pub mod record;

pub use document::{Content, Document, Parts};
pub use label::{Labelled, newest_deployed};
pub use record::{ApplyMethod, Record, RecordError, Status};

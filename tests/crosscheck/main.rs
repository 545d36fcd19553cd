//! Fairlead against Helm 4.3.1 and Go themselves: tables, and cases that are made up.
//!
//! Each test asks a live process with Helm's and Go's own libraries in it (`fairlead_controlplane::Oracle`), and holds our
//! answer against it: output, values, and the words of errors. A difference is made as small as possible, and shown with
//! both answers and the seed.
//!
//! | Environment variable | Meaning |
//! |---|---|
//! | `FAIRLEAD_SEED` | the seed of the made-up cases, a number; `random` takes one from the clock |
//! | `FAIRLEAD_CASES` | how many cases each test makes up, in the place of its own number |
//! | `FAIRLEAD_DIFFERENCES` | after how many differences a test ends (5) |

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, both are how it fails")]
#![expect(clippy::print_stderr, reason = "the seed and the number of cases are to be seen")]

mod charts;
mod check;
mod expressions;
mod formats;
mod functions;
mod host;
#[cfg(feature = "cluster")]
mod kustomize;
mod regexps;
mod tables;
mod templates;
mod times;
mod versions;
mod yaml;

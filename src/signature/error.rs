//! Why a signature is not accepted, and why nothing can be trusted.

/// What a signature or a manifest of an attacker may add to a message.
const QUOTED: usize = 200;

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its bytes are not what they claim to be.
    #[error("{what} cannot be read: {reason}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It is of a kind that is not known here.
    #[error("{what} is {found:?}, and only {known} is accepted")]
    Unsupported {
        /// Which part.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        known: &'static str,
    },
    /// None of the keys made it.
    #[error("it was not made with one of the trusted keys, or was changed since")]
    OtherKey,
    /// It is of something else.
    #[error("it signs another artifact")]
    OtherArtifact,
    /// It was made with a certificate, and keys are trusted.
    #[error("it was made with a certificate (keyless), and only keys are trusted")]
    NotWithKey,
}

impl Rejection {
    /// Of one that could not even be fetched as it should be.
    pub fn unreadable(reason: &impl ToString) -> Self {
        Self::malformed("it", reason.to_string())
    }

    pub(super) fn malformed(what: &'static str, reason: impl ToString) -> Self {
        let reason = bounded(&reason.to_string());
        Self::Malformed { what, reason }
    }

    pub(super) fn unsupported(what: &'static str, found: &str, known: &'static str) -> Self {
        let found = bounded(found);
        Self::Unsupported { what, found, known }
    }
}

/// Why nothing can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// There is no key.
    #[error("it has no public key: put one into a key of its data whose name ends in .pub")]
    NoKeys,
    /// There is more than is read.
    #[error("it has more than {limit} public keys")]
    TooManyKeys {
        /// How many are read.
        limit: usize,
    },
    /// Something that should be a public key is none.
    #[error("{name} is not a public key that can be used (PEM of ECDSA P-256 or P-384, RSA or Ed25519): {reason}")]
    Key {
        /// Its key in the Secret.
        name: String,
        /// What is wrong with it; never its content.
        reason: String,
    },
}

impl TrustError {
    pub(super) fn key(name: &str, reason: impl ToString) -> Self {
        Self::Key {
            name: name.to_owned(),
            reason: bounded(&reason.to_string()),
        }
    }
}

/// The beginning of a text that may be of any length.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! Why a signature is not accepted, and why nothing can be trusted.

use std::fmt::Display;

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
    /// It was made with a key, and identities are trusted.
    #[error("it was made with a key, and only identities (keyless) are trusted")]
    NotKeyless,
    /// No log tells when it was made.
    #[error("no transparency log tells of it")]
    NotLogged,
    /// It does not prove what it should.
    #[error("it is not proven: {reason}")]
    Unproven {
        /// What is wrong.
        reason: String,
    },
    /// Somebody else signed it.
    #[error("it is by {subject:?} (of the issuer {issuer:?}), whom no entry of matchOIDCIdentity accepts")]
    OtherIdentity {
        /// Who.
        subject: String,
        /// Who says so.
        issuer: String,
    },
}

impl Rejection {
    /// Of one that could not even be fetched as it should be.
    pub fn unreadable(reason: &dyn Display) -> Self {
        Self::malformed("it", reason)
    }

    pub(super) fn malformed(what: &'static str, reason: &dyn Display) -> Self {
        let reason = bounded(&reason.to_string());
        Self::Malformed { what, reason }
    }

    pub(super) fn unproven(reason: &dyn Display) -> Self {
        let reason = bounded(&reason.to_string());
        Self::Unproven { reason }
    }

    pub(super) fn other_identity(subject: &str, issuer: &str) -> Self {
        let (subject, issuer) = (bounded(subject), bounded(issuer));
        Self::OtherIdentity { subject, issuer }
    }

    pub(super) fn of_another_kind() -> Self {
        Self::unsupported("its content", "another one", "an envelope or a message")
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
    /// Anybody would be trusted.
    #[error(
        "matchOIDCIdentity has no entry, and anybody can sign without a key: say whose signatures are accepted, by issuer and subject"
    )]
    NoIdentities,
    /// There is more than is read.
    #[error("matchOIDCIdentity has more than {limit} entries")]
    TooManyIdentities {
        /// How many are read.
        limit: usize,
    },
    /// An identity is not one.
    #[error("matchOIDCIdentity[{index}].{field} is not a regular expression: {reason}")]
    Identity {
        /// Which entry.
        index: usize,
        /// Which part of it.
        field: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The trusted root cannot be used.
    #[error("the trusted root cannot be used: {reason}")]
    Root {
        /// What is wrong with it.
        reason: String,
    },
}

impl TrustError {
    pub(super) fn root(reason: &dyn Display) -> Self {
        let reason = bounded(&reason.to_string());
        Self::Root { reason }
    }

    pub(super) fn key(name: &str, reason: &dyn Display) -> Self {
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

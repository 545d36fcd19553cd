//! Private keys: making them, signing with them, and reading and writing them as PEM.
//!
//! Elliptic curve keys are on P-256, the curve of `genPrivateKey`; keys on other curves can be carried by
//! `buildCustomCert`, but not used to make a certificate.

use ed25519_dalek::SigningKey as Ed25519Key;
use p256::elliptic_curve::bigint::{U1024, U2048};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rand_core::{CryptoRng, RngCore};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::pkcs8::der::asn1::{ObjectIdentifier, UintRef};
use rsa::pkcs8::der::{Decode as _, Encode as _};
use rsa::pkcs8::{EncodePublicKey as _, LineEnding, PrivateKeyInfo};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::{BigUint, RsaPrivateKey};

use super::primes::random_prime;
use crate::go::base64;
use crate::template::context::Context;
use crate::template::function::{Cost, Function, function};
use crate::template::value::Text;

pub(super) const FUNCTIONS: &[Function] =
    &[function!("genPrivateKey", @context gen_private_key, (&Text) -> String).costs(Cost::Keys(8))];

/// The public exponent that all keys have.
const EXPONENT: u32 = 65537;
/// How many pairs of primes are tried.
const ATTEMPTS: usize = 8;
const RSA_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// The host's random source as the key makers want it.
pub(super) struct HostRandom<'c, 'run>(pub(super) &'c mut Context<'run>);

impl RngCore for HostRandom<'_, '_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        self.0.host().random(buffer);
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

/// The host promises a cryptographic source.
impl CryptoRng for HostRandom<'_, '_> {}

/// A key that can sign a certificate.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    Ed25519(Ed25519Key),
}

impl PrivateKey {
    /// A new RSA key.
    pub(super) fn rsa(context: &mut Context<'_>, bits: usize) -> Result<Self, String> {
        let mut random = HostRandom(context);
        // Primes that do not go with the exponent are refused; few are.
        let key = (0..ATTEMPTS).find_map(|_| {
            let [first, second] = match bits {
                2048 => [(); 2].map(|()| random_prime::<{ U1024::LIMBS }>(&mut random)),
                4096 => [(); 2].map(|()| random_prime::<{ U2048::LIMBS }>(&mut random)),
                _ => return None,
            };
            RsaPrivateKey::from_primes(vec![first, second], BigUint::from(EXPONENT)).ok()
        });
        key.map_or_else(|| RsaPrivateKey::new(&mut random, bits), Ok)
            .map(|key| Self::Rsa(Box::new(key)))
            .map_err(|error| format!("error generating rsa key: {error}"))
    }

    /// As PEM, in the form that Sprig chooses for its type.
    pub(super) fn to_pem(&self) -> Result<String, String> {
        match self {
            Self::Rsa(key) => {
                let pem = key.to_pkcs1_pem(LineEnding::LF).map_err(|error| error.to_string())?;
                Ok(pem.to_string())
            }
            Self::P256(key) => Ok(pem("EC PRIVATE KEY", &p256_der(key))),
            Self::Ed25519(key) => {
                // PKCS #8, version 0: only the seed varies.
                let header = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
                Ok(pem("PRIVATE KEY", &[header.as_slice(), key.as_bytes()].concat()))
            }
        }
    }

    /// From PEM. The errors are Sprig's, with the details in the words of the parsers here.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, String> {
        let (label, der) = decode_pem(text).ok_or("no PEM data in input")?;
        if label == "PRIVATE KEY" {
            return from_pkcs8(&der).map_err(|error| format!("decoding PEM as PKCS#8: {error}"));
        }
        let Some(kind) = label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        match kind {
            "RSA" => rsa_key(&der).map_err(|error| format!("parsing RSA private key from PEM: {error}")),
            "EC" => ec_key(&der).map_err(|error| format!("parsing EC private key from PEM: {error}")),
            "DSA" => Err("x509: unsupported public key type: *dsa.PublicKey".to_owned()),
            _ => Err(format!("invalid private key type {kind}")),
        }
    }

    /// The public half as a DER `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key) => {
                let document = key
                    .to_public_key()
                    .to_public_key_der()
                    .map_err(|error| error.to_string())?;
                Ok(document.as_bytes().to_vec())
            }
            Self::P256(key) => {
                let header = [
                    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 8, 0x2A, 0x86, 0x48, 0xCE,
                    0x3D, 3, 1, 7, 3, 0x42, 0,
                ];
                Ok([header.as_slice(), key.public_key().to_encoded_point(false).as_bytes()].concat())
            }
            Self::Ed25519(key) => {
                let header = [0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0];
                Ok([header.as_slice(), key.verifying_key().as_bytes()].concat())
            }
        }
    }

    /// Signs with the algorithm of [`PrivateKey::signature_algorithm`].
    pub(super) fn sign(&self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let signer = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(key.as_ref().clone());
                signer.sign(data).to_vec()
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = p256::ecdsa::SigningKey::from(key).sign(data);
                signature.as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(data).to_vec(),
        }
    }

    /// The algorithm that Go's x509 package chooses for the type, and whether it has a parameter, which is null.
    pub(super) fn signature_algorithm(&self) -> (ObjectIdentifier, bool) {
        match self {
            Self::Rsa(_) => (SHA256_WITH_RSA, true),
            Self::P256(_) => (ECDSA_WITH_SHA256, false),
            Self::Ed25519(_) => (ED25519_OID, false),
        }
    }
}

fn rsa_key(der: &[u8]) -> Result<PrivateKey, String> {
    let key = RsaPrivateKey::from_pkcs1_der(der).map_err(|error| error.to_string())?;
    Ok(PrivateKey::Rsa(Box::new(key)))
}

fn ec_key(der: &[u8]) -> Result<PrivateKey, String> {
    p256::SecretKey::from_sec1_der(der)
        .map(PrivateKey::P256)
        .map_err(|error| error.to_string())
}

fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, String> {
    let info = PrivateKeyInfo::from_der(der).map_err(|error| error.to_string())?;
    match info.algorithm.oid {
        RSA_OID => rsa_key(info.private_key),
        EC_OID => ec_key(info.private_key),
        ED25519_OID => {
            let seed = info
                .private_key
                .strip_prefix(&[4, 0x20])
                .and_then(|seed| <[u8; 32]>::try_from(seed).ok());
            let seed = seed.ok_or("x509: invalid Ed25519 private key")?;
            Ok(PrivateKey::Ed25519(Ed25519Key::from_bytes(&seed)))
        }
        other => Err(format!(
            "x509: PKCS#8 wrapping contained private key with unknown algorithm: {other}"
        )),
    }
}

/// SEC 1 with the curve's name and the public key, as Go writes it: only the two keys vary.
fn p256_der(key: &p256::SecretKey) -> Vec<u8> {
    let before = [0x30, 0x77, 2, 1, 1, 4, 0x20];
    let curve = [
        0xA0, 0x0A, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7, 0xA1, 0x44, 3, 0x42, 0,
    ];
    let secret = key.to_bytes();
    let public = key.public_key().to_encoded_point(false);
    [before.as_slice(), secret.as_slice(), &curve, public.as_bytes()].concat()
}

/// `pem.Encode` without headers.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64::encode(der);
    let mut output = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        output.push_str(&String::from_utf8_lossy(line));
        output.push('\n');
    }
    output.push_str("-----END ");
    output.push_str(label);
    output.push_str("-----\n");
    output
}

/// `pem.Decode`: label and content of the first block. Headers are left out.
pub(super) fn decode_pem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let start = text.find("-----BEGIN ")?;
    let (label, rest) = text[start + 11..].split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let lines = body.lines().map(str::trim).filter(|line| !line.contains(':'));
    let encoded: String = lines.collect();
    let der = base64::decode(encoded.as_bytes()).ok()?;
    Some((label.to_owned(), der))
}

/// An error comes back as text.
fn gen_private_key(context: &mut Context<'_>, kind: &Text) -> String {
    let generated = match kind.as_bytes() {
        b"" | b"rsa" => PrivateKey::rsa(context, 4096).and_then(|key| key.to_pem()),
        b"dsa" => dsa_pem(context),
        b"ecdsa" => PrivateKey::P256(p256::SecretKey::random(&mut HostRandom(context))).to_pem(),
        b"ed25519" => PrivateKey::Ed25519(Ed25519Key::generate(&mut HostRandom(context))).to_pem(),
        _ => return format!("Unknown type {kind}"),
    };
    generated.unwrap_or_else(|error| format!("failed to generate private key: {error}"))
}

/// The traditional form: version 0 and the five numbers.
fn dsa_pem(context: &mut Context<'_>) -> Result<String, String> {
    let mut random = HostRandom(context);
    let components = dsa::Components::generate(&mut random, dsa::KeySize::DSA_2048_256);
    let key = dsa::SigningKey::generate(&mut random, components);
    let public = key.verifying_key();
    let components = public.components();
    let numbers = [components.p(), components.q(), components.g(), public.y(), key.x()];
    let mut body = vec![2, 1, 0];
    for number in numbers {
        let bytes = number.to_bytes_be();
        let encoded = UintRef::new(&bytes)
            .and_then(|number| number.to_der())
            .map_err(|error| error.to_string())?;
        body.extend(encoded);
    }
    let length = u16::try_from(body.len())
        .map_err(|error| error.to_string())?
        .to_be_bytes();
    Ok(pem(
        "DSA PRIVATE KEY",
        &[[0x30, 0x82].as_slice(), &length, &body].concat(),
    ))
}

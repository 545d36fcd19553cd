//! Real signatures by keys that are made here, and everything that can be wrong with one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::pkcs8::EncodePublicKey;
use serde_json::{Value, json};
use sha2::Digest as _;
use sigstore_verify::types::dsse::pae;
use sigstore_verify::types::{DerPublicKey, Sha256Hash};

use super::{PublicKeys, Rejection, Signature, SignedPayload, Trust, TrustError};

const DIGEST: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];

/// A key that is the same in every run.
fn key(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn pem(key: &p256::ecdsa::SigningKey) -> String {
    public(&p256::PublicKey::from(key.verifying_key()))
}

fn public(key: &impl EncodePublicKey) -> String {
    DerPublicKey::new(key.to_public_key_der().unwrap().into_vec()).to_pem()
}

fn trust_in(keys: &[&str]) -> Trust {
    let keys = keys.iter().map(|pem| ("cosign.pub", pem.as_bytes()));
    Trust::in_keys(PublicKeys::read(keys).unwrap(), "Secret shop/keys".to_owned())
}

fn hexadecimal(digest: [u8; 32]) -> String {
    Sha256Hash::new(digest).to_hex()
}

fn sign(key: &p256::ecdsa::SigningKey, message: &[u8]) -> String {
    let signature: p256::ecdsa::Signature = key.sign(message);
    STANDARD.encode(signature.to_der())
}

fn payload(digest: [u8; 32], type_: &str) -> Vec<u8> {
    let image = json!({"docker-manifest-digest": format!("sha256:{}", hexadecimal(digest))});
    let identity = json!({"docker-reference": "registry.example.com/shop"});
    json!({"critical": {"identity": identity, "image": image, "type": type_}, "optional": null})
        .to_string()
        .into_bytes()
}

const TYPE: &str = "cosign container image signature";
const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
const STATEMENT: &str = "application/vnd.in-toto+json";

fn statement(digest: [u8; 32], predicate: &str) -> Vec<u8> {
    let subject = json!([{"digest": {"sha256": hexadecimal(digest)}}]);
    json!({"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate, "predicate": {}})
        .to_string()
        .into_bytes()
}

fn bundle(content: &Value) -> Value {
    let mut bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "any"}}});
    bundle
        .as_object_mut()
        .unwrap()
        .extend(content.as_object().unwrap().clone());
    bundle
}

fn envelope(key: &p256::ecdsa::SigningKey, payload_type: &str, payload: &[u8]) -> Value {
    let signature = sign(key, &pae(payload_type, payload));
    bundle(
        &json!({"dsseEnvelope": {"payloadType": payload_type, "payload": STANDARD.encode(payload),
        "signatures": [{"sig": signature}]}}),
    )
}

fn verify_bundle(trust: &Trust, bundle: &Value, digest: [u8; 32]) -> Result<(), String> {
    let verdict = trust.verify(Signature::Bundle(bundle.to_string().as_bytes()), digest);
    verdict.map_err(|rejection| rejection.to_string())
}

fn verify_payload(trust: &Trust, bytes: &[u8], signature: &str, digest: [u8; 32]) -> Result<(), Rejection> {
    let annotations = BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), signature.to_owned())]);
    let annotations = &annotations;
    trust.verify(Signature::Payload(SignedPayload { bytes, annotations }), digest)
}

#[test]
fn a_payload_is_accepted_from_a_trusted_key_for_its_own_artifact() {
    let (ours, theirs) = (key(1), key(2));
    let trust = trust_in(&[&pem(&theirs), &pem(&ours)]);
    let bytes = payload(DIGEST, TYPE);
    let signature = sign(&ours, &bytes);
    assert_eq!(verify_payload(&trust, &bytes, &signature, DIGEST), Ok(()));
    assert_eq!(
        verify_payload(&trust, &bytes, &signature, OTHER),
        Err(Rejection::OtherArtifact)
    );
    let stranger = trust_in(&[&pem(&key(3))]);
    assert_eq!(
        verify_payload(&stranger, &bytes, &signature, DIGEST),
        Err(Rejection::OtherKey)
    );
    let changed = payload(OTHER, TYPE);
    assert_eq!(
        verify_payload(&trust, &changed, &signature, OTHER),
        Err(Rejection::OtherKey)
    );
}

#[test]
fn what_is_no_payload_is_refused() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let refused = |bytes: &[u8]| verify_payload(&trust, bytes, &sign(&ours, bytes), DIGEST).unwrap_err();
    assert!(matches!(refused(b"{"), Rejection::Malformed { .. }));
    assert!(matches!(refused(b""), Rejection::Malformed { .. }));
    assert!(matches!(refused(b"{\"critical\": {}}"), Rejection::Malformed { .. }));
    let other = payload(DIGEST, "a parcel");
    assert!(matches!(refused(&other), Rejection::Unsupported { .. }));
    let bytes = payload(DIGEST, TYPE);
    for signature in ["", "%", "MEUCIQ==", "AAAA"] {
        assert!(
            verify_payload(&trust, &bytes, signature, DIGEST).is_err(),
            "{signature}"
        );
    }
}

#[test]
fn a_bundle_is_accepted_from_a_trusted_key_for_its_own_artifact() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let good = envelope(&ours, STATEMENT, &statement(DIGEST, PREDICATE));
    assert_eq!(verify_bundle(&trust, &good, DIGEST), Ok(()));
    assert!(
        verify_bundle(&trust, &good, OTHER)
            .unwrap_err()
            .contains("another artifact")
    );
    let stranger = trust_in(&[&pem(&key(3))]);
    assert!(
        verify_bundle(&stranger, &good, DIGEST)
            .unwrap_err()
            .contains("trusted keys")
    );
    let mut changed = good;
    changed["dsseEnvelope"]["payload"] = json!(STANDARD.encode(statement(OTHER, PREDICATE)));
    assert!(
        verify_bundle(&trust, &changed, OTHER)
            .unwrap_err()
            .contains("trusted keys")
    );
}

/// A scan or a provenance by the same key says that something was looked at, not that it may be used.
#[test]
fn only_a_statement_that_is_a_signature_counts() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let scan = envelope(&ours, STATEMENT, &statement(DIGEST, "https://slsa.dev/provenance/v1"));
    assert!(verify_bundle(&trust, &scan, DIGEST).unwrap_err().contains("provenance"));
    let other = envelope(&ours, "text/plain", &statement(DIGEST, PREDICATE));
    assert!(
        verify_bundle(&trust, &other, DIGEST)
            .unwrap_err()
            .contains("text/plain")
    );
}

#[test]
fn a_signature_of_the_digest_itself_is_accepted() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let signature: p256::ecdsa::Signature = ours.sign_prehash(&DIGEST).unwrap();
    let signature = STANDARD.encode(signature.to_der());
    let message = |said: Value| {
        let mut message = json!({"signature": signature});
        if !said.is_null() {
            message["messageDigest"] = said;
        }
        bundle(&json!({"messageSignature": message}))
    };
    let said = |digest: [u8; 32]| json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)});
    assert_eq!(verify_bundle(&trust, &message(Value::Null), DIGEST), Ok(()));
    assert_eq!(verify_bundle(&trust, &message(said(DIGEST)), DIGEST), Ok(()));
    assert!(verify_bundle(&trust, &message(said(OTHER)), DIGEST).is_err());
    assert!(verify_bundle(&trust, &message(said(OTHER)), OTHER).is_err());
    assert!(verify_bundle(&trust, &message(Value::Null), OTHER).is_err());
}

#[test]
fn what_is_no_bundle_is_refused() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let good = envelope(&ours, STATEMENT, &statement(DIGEST, PREDICATE)).to_string();
    // Every prefix, and every byte changed: an error each time, and never a signature of something else.
    for end in 0..good.len() {
        assert!(
            trust
                .verify(Signature::Bundle(&good.as_bytes()[..end]), DIGEST)
                .is_err(),
            "{end}"
        );
    }
    for position in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[position] ^= 1;
        let _ = trust.verify(Signature::Bundle(&bytes), DIGEST);
        assert!(
            trust.verify(Signature::Bundle(&bytes), OTHER).is_err(),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
    for text in ["", "null", "[]", "{}", "{\"mediaType\": 1}", &"[".repeat(100_000)] {
        assert!(trust.verify(Signature::Bundle(text.as_bytes()), DIGEST).is_err());
    }
    let mut two = envelope(&ours, STATEMENT, &statement(DIGEST, PREDICATE));
    let signature = two["dsseEnvelope"]["signatures"][0].clone();
    two["dsseEnvelope"]["signatures"] = json!([signature, signature]);
    assert!(verify_bundle(&trust, &two, DIGEST).unwrap_err().contains("exactly one"));
}

#[test]
fn errors_are_bounded_whatever_an_attacker_writes() {
    let ours = key(1);
    let trust = trust_in(&[&pem(&ours)]);
    let long = envelope(&ours, STATEMENT, &statement(DIGEST, &"é".repeat(100_000)));
    assert!(verify_bundle(&trust, &long, DIGEST).unwrap_err().len() < 1000);
    let mut unknown = bundle(&json!({}));
    unknown["mediaType"] = json!("x".repeat(100_000));
    assert!(verify_bundle(&trust, &unknown, DIGEST).unwrap_err().len() < 1000);
}

#[test]
fn keys_of_each_kind_verify() {
    let message = payload(DIGEST, TYPE);
    let p384 = p384::ecdsa::SigningKey::from_slice(&[5; 48]).unwrap();
    let public = public(&p384::PublicKey::from(p384.verifying_key()));
    let signature: p384::ecdsa::Signature = p384.sign(&message);
    let trust = trust_in(&[&public]);
    let signature = STANDARD.encode(signature.to_der());
    assert_eq!(verify_payload(&trust, &message, &signature, DIGEST), Ok(()));

    // As cosign does for every key: SHA-256.
    let signature: p384::ecdsa::Signature = p384.sign_prehash(&sha2::Sha256::digest(&message)).unwrap();
    let signature = STANDARD.encode(signature.to_der());
    assert_eq!(verify_payload(&trust, &message, &signature, DIGEST), Ok(()));

    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let der = [&hex("302a300506032b6570032100")[..], ed25519.verifying_key().as_bytes()].concat();
    let public = DerPublicKey::new(der).to_pem();
    let signature = STANDARD.encode(ed25519.sign(&message).to_bytes());
    assert_eq!(
        verify_payload(&trust_in(&[&public]), &message, &signature, DIGEST),
        Ok(())
    );
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn what_is_no_key_is_named() {
    let read = |name: &str, pem: &str| PublicKeys::read([(name, pem.as_bytes())]).unwrap_err().to_string();
    assert_eq!(PublicKeys::read([]).unwrap_err(), TrustError::NoKeys);
    assert!(read("a.pub", "hunter2").starts_with("a.pub is not a public key"));
    assert!(!read("a.pub", "hunter2").contains("hunter2"));
    let private =
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nYWJj\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
    let error = read("b.pub", private);
    assert!(error.contains("PRIVATE KEY") && !error.contains("YWJj"), "{error}");
    assert!(read("c.pub", "-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n").contains("c.pub"));
    assert!(read("d.pub", &"x".repeat(20_000)).contains("longer"));
    let good = pem(&key(1));
    let many = std::iter::repeat_n(("a.pub", good.as_bytes()), 33);
    assert_eq!(
        PublicKeys::read(many).unwrap_err(),
        TrustError::TooManyKeys { limit: 32 }
    );
}

#[test]
fn other_keys_are_another_trust() {
    let (one, two) = (pem(&key(1)), pem(&key(2)));
    let fingerprints = [trust_in(&[&one]), trust_in(&[&two]), trust_in(&[&one, &two])].map(|trust| trust.fingerprint());
    assert_eq!(trust_in(&[&one]).fingerprint(), fingerprints[0]);
    assert!(
        fingerprints[0] != fingerprints[1] && fingerprints[1] != fingerprints[2] && fingerprints[0] != fingerprints[2]
    );
    assert_eq!(
        trust_in(&[&one, &two]).to_string(),
        "cosign with cosign.pub, cosign.pub of Secret shop/keys"
    );
}

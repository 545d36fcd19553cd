//! Real signatures of a Sigstore of its own (`testdata/README.md`), and everything that can be wrong with one.

use serde_json::{Value, json};

use super::*;
use crate::signature::{Signature, Trust};

const ACCEPTED: (&str, &str) = ("^https://accounts[.]example[.]com$", "^dev@example[.]com$");

fn fixtures() -> Value {
    serde_json::from_str(include_str!("testdata/signatures.json")).unwrap()
}

fn trust(root: &Value, identities: &[(&str, &str)]) -> Trust {
    let keyless = Keyless::read(Some(root.to_string().as_bytes()), identities.iter().copied());
    Trust::in_identities(keyless.unwrap(), "Secret shop/sigstore".to_owned())
}

fn refusal(root: Option<&[u8]>, identities: &[(&str, &str)]) -> String {
    let read = Keyless::read(root, identities.iter().copied());
    read.unwrap_err().to_string()
}

fn digest(signed: &Value) -> [u8; 32] {
    *Sha256Hash::from_hex(signed["digest"].as_str().unwrap())
        .unwrap()
        .as_bytes()
}

fn by_bundle(trust: &Trust, signed: &Value) -> Result<(), Rejection> {
    trust.verify(
        Signature::Bundle(signed["bundle"].to_string().as_bytes()),
        digest(signed),
    )
}

fn by_payload(trust: &Trust, signed: &Value) -> Result<(), Rejection> {
    let bytes = signed["payload"].as_str().unwrap().as_bytes();
    let annotations = serde_json::from_value(signed["annotations"].clone()).unwrap();
    let annotations = &annotations;
    trust.verify(Signature::Payload(SignedPayload { bytes, annotations }), digest(signed))
}

#[test]
fn both_formats_are_accepted_for_an_accepted_identity() {
    let fixtures = fixtures();
    let trusted = trust(&fixtures["trustedRoot"], &[("^nobody$", ""), ACCEPTED]);
    assert_eq!(by_bundle(&trusted, &fixtures["logged"]), Ok(()));
    assert_eq!(by_payload(&trusted, &fixtures["logged"]), Ok(()));
    // Both parts of one entry have to match.
    let others = [(ACCEPTED.0, "^other@"), ("^https://other$", ACCEPTED.1)];
    let strict = trust(&fixtures["trustedRoot"], &others);
    for rejected in [
        by_bundle(&strict, &fixtures["logged"]),
        by_payload(&strict, &fixtures["logged"]),
    ] {
        let error = rejected.unwrap_err().to_string();
        assert!(
            error.contains("dev@example.com") && error.contains("https://accounts.example.com"),
            "{error}"
        );
    }
}

#[test]
fn a_signature_is_of_its_own_artifact() {
    let fixtures = fixtures();
    let trusted = trust(&fixtures["trustedRoot"], &[ACCEPTED]);
    let mut signed = fixtures["logged"].clone();
    signed["digest"] = json!("0".repeat(64));
    assert!(by_bundle(&trusted, &signed).is_err());
    assert_eq!(by_payload(&trusted, &signed), Err(Rejection::OtherArtifact));
    let mut signed = fixtures["logged"].clone();
    signed["payload"] = json!(signed["payload"].as_str().unwrap().replace("cosign", "Cosign"));
    assert!(matches!(by_payload(&trusted, &signed), Err(Rejection::Unproven { .. })));
}

#[test]
fn a_root_without_a_log_of_certificates_asks_for_none() {
    let fixtures = fixtures();
    let mut root = fixtures["trustedRoot"].clone();
    let error = by_bundle(&trust(&root, &[ACCEPTED]), &fixtures["unloggedCertificate"]).unwrap_err();
    assert!(error.to_string().contains("certificate timestamp"), "{error}");
    root["ctlogs"] = json!([]);
    assert_eq!(
        by_bundle(&trust(&root, &[ACCEPTED]), &fixtures["unloggedCertificate"]),
        Ok(())
    );
}

#[test]
fn what_another_instance_vouches_for_is_refused() {
    let fixtures = fixtures();
    let ours = trust(&fixtures["trustedRoot"], &[ACCEPTED]);
    let public = Keyless::read(None, [ACCEPTED]).unwrap();
    let public = Trust::in_identities(public, "the public root".to_owned());
    assert!(by_bundle(&public, &fixtures["logged"]).is_err());
    assert!(by_payload(&public, &fixtures["logged"]).is_err());
    assert_ne!(public.fingerprint(), ours.fingerprint());
    for part in ["tlogs", "certificateAuthorities", "ctlogs"] {
        let mut root = fixtures["trustedRoot"].clone();
        // The right place, and somebody else's key: that of another part.
        let text = root[part].to_string();
        let foreign = SIGSTORE_PRODUCTION_TRUSTED_ROOT;
        let foreign: Value = serde_json::from_str(foreign).unwrap();
        root[part] = foreign[part].clone();
        assert_ne!(root[part].to_string(), text);
        assert!(
            by_bundle(&trust(&root, &[ACCEPTED]), &fixtures["logged"]).is_err(),
            "{part}"
        );
    }
}

#[test]
fn what_lacks_a_proof_is_refused() {
    let fixtures = fixtures();
    let trusted = trust(&fixtures["trustedRoot"], &[ACCEPTED]);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut signed = fixtures["logged"].clone();
        change(&mut signed);
        let bundle = by_bundle(&trusted, &signed).is_err();
        let payload = by_payload(&trusted, &signed).is_err();
        (bundle, payload)
    };
    let material =
        |signed: &mut Value, change: &dyn Fn(&mut Value)| change(&mut signed["bundle"]["verificationMaterial"]);
    let bundles: [&dyn Fn(&mut Value); 6] = [
        &|material| material["tlogEntries"] = json!([]),
        &|material| material["tlogEntries"][0]["inclusionProof"] = Value::Null,
        &|material| material["tlogEntries"][0]["inclusionPromise"] = Value::Null,
        &|material| material["tlogEntries"][0]["integratedTime"] = json!("1"),
        &|material| material["certificate"]["rawBytes"] = json!("AAAA"),
        &|material| *material = json!({"publicKey": {"hint": "any"}}),
    ];
    for (index, change) in bundles.iter().enumerate() {
        assert!(refused(&|signed| material(signed, change)).0, "{index}");
    }
    let promise = |change: &dyn Fn(&mut Value)| {
        let change = |signed: &mut Value| {
            let mut promise: Value = serde_json::from_str(signed["annotations"][PROMISE].as_str().unwrap()).unwrap();
            change(&mut promise);
            signed["annotations"][PROMISE] = json!(promise.to_string());
        };
        refused(&change).1
    };
    let promises: [&dyn Fn(&mut Value); 7] = [
        &|promise| promise["Payload"]["integratedTime"] = json!(1),
        &|promise| promise["Payload"]["integratedTime"] = json!(i64::MAX),
        &|promise| promise["Payload"]["logIndex"] = json!(-1),
        &|promise| promise["Payload"]["logID"] = json!("00"),
        &|promise| promise["Payload"]["body"] = json!("%"),
        &|promise| promise["SignedEntryTimestamp"] = json!("AAAA"),
        &|promise| *promise = json!(null),
    ];
    for (index, change) in promises.iter().enumerate() {
        assert!(promise(change), "{index}");
    }
    for (name, text) in [
        (CERTIFICATE, ""),
        (CERTIFICATE, "x"),
        (CHAIN, "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----"),
        (PROMISE, ""),
        (PROMISE, "["),
    ] {
        assert!(
            refused(&|signed| signed["annotations"][name] = json!(text)).1,
            "{name} {text:?}"
        );
    }
    // The authority that issued the certificate is in the root itself.
    for name in [CERTIFICATE, PROMISE] {
        let without = |signed: &mut Value| {
            signed["annotations"].as_object_mut().unwrap().remove(name);
        };
        assert!(refused(&without).1, "{name}");
    }
}

/// Whatever is changed, it is never a signature of something else, and nothing breaks.
#[test]
fn damaged_bundles_are_refused() {
    let fixtures = fixtures();
    let trusted = trust(&fixtures["trustedRoot"], &[ACCEPTED]);
    let good = fixtures["logged"]["bundle"].to_string();
    for end in (0..good.len()).step_by(61) {
        let bundle = &good.as_bytes()[..end];
        assert!(
            trusted
                .verify(Signature::Bundle(bundle), digest(&fixtures["logged"]))
                .is_err(),
            "{end}"
        );
    }
    for position in (0..good.len()).step_by(61) {
        let mut bytes = good.clone().into_bytes();
        bytes[position] ^= 1;
        assert!(
            trusted.verify(Signature::Bundle(&bytes), [0; 32]).is_err(),
            "{position}"
        );
    }
}

#[test]
fn who_is_trusted_is_said_completely() {
    let fixtures = fixtures();
    let root = fixtures["trustedRoot"].to_string();
    let root = Some(root.as_bytes());
    assert!(refusal(root, &[]).contains("matchOIDCIdentity has no entry"));
    assert!(refusal(root, &[ACCEPTED, ("a", "(")]).contains("matchOIDCIdentity[1].subject"));
    let long = "a".repeat(5000);
    assert!(refusal(root, &[(&long, "a")]).contains("matchOIDCIdentity[0].issuer"));
    assert!(refusal(root, &[ACCEPTED; 65]).contains("more than 64"));
    for broken in ["", "{", "{}", "[]", "null", r#"{"mediaType": "x", "tlogs": 1}"#] {
        assert!(
            refusal(Some(broken.as_bytes()), &[ACCEPTED]).contains("trusted root"),
            "{broken}"
        );
    }
    let none = json!({"mediaType": "x", "tlogs": fixtures["trustedRoot"]["tlogs"]}).to_string();
    assert!(refusal(Some(none.as_bytes()), &[ACCEPTED]).contains("no certificate authority"));
    let large = " ".repeat(ROOT + 1);
    assert!(refusal(Some(large.as_bytes()), &[ACCEPTED]).contains("larger"));
}

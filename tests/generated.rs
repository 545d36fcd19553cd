//! Keys, certificates, passwords and ciphers that templates make: Go's own crypto packages and Sprig find them valid, and
//! the random source and the clock that are passed in decide every byte of them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use fairlead::jiff::Timestamp;
use fairlead::template::value::Scope;
use fairlead::template::{Context, Host, Limits, Mode, TemplateSet, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

/// When the certificates are made.
const NOW: &str = "2031-02-03T04:05:06Z";

/// The clock stands still; randomness is hashes of a seed and a counter.
struct Seeded {
    seed: u64,
    blocks: u64,
    now: Timestamp,
}

impl Host for Seeded {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.seed.to_le_bytes())
                .chain_update(self.blocks.to_le_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
            self.blocks += 1;
        }
    }
}

/// What a template prints with this seed, at this time.
fn render_at(template: &str, seed: u64, now: &str) -> String {
    let _scope = Scope::new();
    let set = TemplateSet::parse([("generated", template)]).unwrap();
    let now = now.parse().unwrap();
    let mut host = Seeded { seed, blocks: 0, now };
    let mut output = Vec::new();
    let mut context = Context::new(&set, &mut host, Limits::default(), Mode::default());
    context.execute("generated", &Value::Nil, &mut output).unwrap();
    String::from_utf8(output).unwrap()
}

fn render(template: &str, seed: u64) -> String {
    render_at(template, seed, NOW)
}

fn render_json(template: &str) -> Json {
    serde_json::from_str(&render(template, 1)).unwrap()
}

/// Certificates of every function, with keys of every type that can sign.
const CERTIFICATES: &str = r#"
{{- $names := list "a.example" "*.b.example" -}}
{{- $ips := list "10.0.0.1" "::1" -}}
{{- $all := dict -}}
{{- $ca := genCA "the ca" 365 -}}
{{- $_ := set $all "ca" $ca -}}
{{- $_ := set $all "signed" (genSignedCert "leaf" $ips $names 30 $ca) -}}
{{- $_ := set $all "self" (genSelfSignedCert "own" $ips $names 30) -}}
{{- range list "ecdsa" "ed25519" -}}
  {{- $with := genCAWithKey (print . " ca") 365 (genPrivateKey .) -}}
  {{- $_ := set $all (print . "-ca") $with -}}
  {{- $_ := set $all (print . "-signed") (genSignedCertWithKey "leaf" $ips $names 30 $with (genPrivateKey .)) -}}
  {{- $_ := set $all (print . "-self") (genSelfSignedCertWithKey "own" nil nil 30 (genPrivateKey .)) -}}
{{- end -}}
{{- $custom := buildCustomCert (b64enc $ca.Cert) (b64enc $ca.Key) -}}
{{- $_ := set $all "custom" $custom -}}
{{- $_ := set $all "custom-signed" (genSignedCertWithKey "leaf" nil $names 30 $custom (genPrivateKey "ecdsa")) -}}
{{- toJson $all -}}
"#;

fn certificates() -> Json {
    let mut all = render_json(CERTIFICATES);
    let (names, ips) = (json!(["a.example", "*.b.example"]), json!(["10.0.0.1", "::1"]));
    for (name, certificate) in all.as_object_mut().unwrap() {
        let (kind, role) = name.split_once('-').unwrap_or(("", name));
        let authority = if kind.is_empty() || kind == "custom" {
            "the ca".to_owned()
        } else {
            format!("{kind} ca")
        };
        let issuer = if kind.is_empty() {
            "ca".to_owned()
        } else {
            format!("{kind}-ca").replace("custom-ca", "custom")
        };
        let (common, days, dns, ips, is_ca, issuer) = match role {
            "ca" | "custom" => (authority.as_str(), 365, Json::Null, Json::Null, true, ""),
            "signed" if kind == "custom" => ("leaf", 30, names.clone(), Json::Null, false, issuer.as_str()),
            "signed" => ("leaf", 30, names.clone(), ips.clone(), false, issuer.as_str()),
            _ if kind.is_empty() => ("own", 30, names.clone(), ips.clone(), false, ""),
            _ => ("own", 30, Json::Null, Json::Null, false, ""),
        };
        let said = json!({"CommonName": common, "Days": days, "DNS": dns, "IPs": ips, "IsCA": is_ca, "Issuer": issuer});
        certificate
            .as_object_mut()
            .unwrap()
            .extend(said.as_object().unwrap().clone());
    }
    all
}

fn keys() -> Json {
    let kinds = ["rsa", "ecdsa", "ed25519", "dsa"];
    let keys = kinds.map(|kind| (kind, render(&format!("{{{{ genPrivateKey {kind:?} }}}}"), 1)));
    json!(std::collections::BTreeMap::from(keys))
}

fn passwords() -> Json {
    json!({
        "bcrypt": {"Hash": render("{{ bcrypt \"a pässword\" }}", 1), "User": "", "Password": "a pässword"},
        "htpasswd": {"Hash": render("{{ htpasswd \"user\" \"word\" }}", 1), "User": "user", "Password": "word"},
    })
}

fn derived() -> Json {
    let kinds = ["long", "maximum", "medium", "short", "basic", "pin"];
    let derive = |(counter, kind): (usize, &str)| {
        let text = render(
            &format!("{{{{ derivePassword {counter} {kind:?} \"word\" \"user\" \"a.example\" }}}}"),
            1,
        );
        json!({"Counter": counter, "Kind": kind, "Password": "word", "User": "user", "Site": "a.example", "Text": text})
    };
    kinds.into_iter().enumerate().map(derive).collect()
}

fn encrypted() -> Json {
    let texts = [
        "",
        "text",
        "sixteen bytes ok",
        "longer than one block of sixteen bytes, ümläute",
    ];
    let encrypt = |text: &str| {
        let cipher = render(&format!("{{{{ encryptAES \"secret\" {text:?} }}}}"), 1);
        assert_eq!(render(&format!("{{{{ decryptAES \"secret\" {cipher:?} }}}}"), 1), text);
        json!({"Password": "secret", "Text": text, "Cipher": cipher})
    };
    texts.into_iter().map(encrypt).collect()
}

/// The judge's program, built by Go (which keeps what it built before).
fn judge(made: &Json) -> String {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/functions");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify{}", std::env::consts::EXE_SUFFIX));
    let mut build = Command::new("go");
    build
        .arg("build")
        .arg("-o")
        .arg(&program)
        .arg("./verify")
        .current_dir(module);
    assert!(build.status().unwrap().success(), "the judge does not compile");
    let mut judge = Command::new(program);
    let mut child = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(made.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the judge failed");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_templates_generate_is_valid() {
    let parts = std::thread::scope(|scope| {
        let threads = [
            ("Certificates", scope.spawn(certificates)),
            ("Keys", scope.spawn(keys)),
            ("Passwords", scope.spawn(passwords)),
            ("Derived", scope.spawn(derived)),
            ("Encrypted", scope.spawn(encrypted)),
        ];
        threads.map(|(name, thread)| (name.to_owned(), thread.join().unwrap()))
    });
    let mut made: serde_json::Map<String, Json> = parts.into_iter().collect();
    made.insert("Now".to_owned(), json!(NOW));
    let mut made = Json::Object(made);
    assert_eq!(judge(&made), "judged\n");

    // The judge is one: it finds a key that is another's, and a wrong password.
    made["Certificates"]["signed"]["Key"] = made["Certificates"]["self"]["Key"].clone();
    made["Passwords"]["bcrypt"]["Password"] = json!("another");
    let verdict = judge(&made);
    assert!(
        verdict.contains("signed: ") && verdict.contains("bcrypt: "),
        "{verdict}"
    );
}

/// Everything that is random in a template.
const RANDOM: &[&str] = &[
    "{{ randAlphaNum 20 }}",
    "{{ randAlpha 20 }}",
    "{{ randNumeric 20 }}",
    "{{ randAscii 20 }}",
    "{{ randBytes 20 }}",
    "{{ randInt 0 1000000000 }}",
    "{{ shuffle \"abcdefghijklmnopqrstuvwxyz\" }}",
    "{{ uuidv4 }}",
    "{{ bcrypt \"word\" }}",
    "{{ htpasswd \"user\" \"word\" }}",
    "{{ encryptAES \"secret\" \"text\" }}",
    "{{ genPrivateKey \"ecdsa\" }}",
    "{{ genPrivateKey \"ed25519\" }}",
    "{{ toJson (genCAWithKey \"ca\" 1 (genPrivateKey \"ecdsa\")) }}",
    "{{ toJson (genCA \"ca\" 1) }}",
    "{{ toJson (genSelfSignedCert \"own\" nil nil 1) }}",
];

#[test]
fn the_seed_decides_what_is_random() {
    for template in RANDOM {
        let first = render(template, 1);
        assert_eq!(first, render(template, 1), "{template} is not repeatable");
        assert_ne!(
            first,
            render(template, 2),
            "{template} does not depend on the random source"
        );
    }
}

#[test]
fn the_clock_decides_times() {
    let day = 24 * 60 * 60;
    for template in [
        "{{ now | unixEpoch }}".to_owned(),
        "{{ toJson (genCAWithKey \"ca\" 1 (genPrivateKey \"ed25519\")) }}".to_owned(),
        format!("{{{{ ago (now | dateModify \"-{day}s\") }}}}{{{{ now }}}}"),
    ] {
        assert_eq!(render_at(&template, 1, NOW), render_at(&template, 1, NOW), "{template}");
        assert_ne!(
            render_at(&template, 1, NOW),
            render_at(&template, 1, "2032-02-03T04:05:06Z"),
            "{template} does not depend on the clock"
        );
    }
}

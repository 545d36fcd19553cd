//! Against a table made with Helm's own engine (tests/golden/functions).

use serde::Deserialize;
use serde_json::json;

use super::super::value::{Map, MapType, Scope, Value};
use super::super::{Context, Host, Limits, Mode, TemplateSet};

/// A host without a cluster, with a small random source.
struct Offline(u64);

impl Host for Offline {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// SplitMix64: good enough to find primes with.
    fn random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (mixed >> 56) as u8;
        }
    }
}

#[derive(Deserialize)]
struct Row {
    expression: String,
    output: String,
    #[serde(default)]
    error: String,
}

const NAME: &str = "t2/templates/x.txt";

fn values() -> Value {
    let values = Value::from_json(&json!({
        "m": {"a": {"b": 1.0, "c": [1.0, 2.0]}, "x": "hello", "z": 0.0, "f": false, "n": null, "e": ""},
        "l": [3.0, 1.0, 2.0], "i": 7.0, "big": 1e20,
    }));
    Value::Map(values.as_map().unwrap().with_type(MapType::Values))
}

/// What the expression prints, or the error as Helm shows it.
pub(super) fn evaluate(expression: &str) -> Result<String, String> {
    let _scope = Scope::new();
    let text = format!("{{{{ {expression} }}}}");
    let set = TemplateSet::parse([(NAME, text)]).map_err(|error| error.to_string())?;
    let release = Value::from_json(&json!({"Name": "rel"}));
    let root: Map = [("Values", values()), ("Release", release)].into_iter().collect();
    let root = Value::Map(root.with_type(MapType::Values));
    let mut host = Offline(1);
    let mut output = Vec::new();
    let mut context = Context::new(&set, &mut host, Limits::default(), Mode::default());
    match context.execute(NAME, &root, &mut output) {
        Ok(()) => Ok(String::from_utf8_lossy(&output).replace("<no value>", "")),
        Err(error) => Err(match error.abort() {
            Some(message) => format!("execution error at ({NAME}:1:3): {message}"),
            None => error.to_string(),
        }),
    }
}

/// Helm lays some errors out over several lines; the last one is the cause.
fn same_error(got: &str, want: &str) -> bool {
    got == want || (want.starts_with(NAME) && want.lines().last().is_some_and(|cause| got.ends_with(cause.trim())))
}

#[test]
fn functions_do_what_helms_do() {
    let table = include_str!("../../../tests/golden/functions/expressions.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let Row {
            expression,
            output,
            error,
        } = serde_json::from_str(line).unwrap();
        let got = evaluate(&expression);
        let same = match &got {
            Ok(text) => error.is_empty() && *text == output,
            Err(text) => same_error(text, &error),
        };
        if !same {
            wrong.push(format!("{expression}\n  got  {got:?}\n  want {output:?} {error:?}"));
        }
    }
    assert!(table.lines().count() > 600);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Go and OpenSSL read these; here they are at least used to sign each other.
#[test]
fn certificates_can_be_made_with_keys_of_every_type() {
    for kind in ["ecdsa", "ed25519"] {
        let chain = format!(
            "$ca := genCAWithKey \"the ca\" 10 (genPrivateKey {kind:?}) }}}}{{{{ $leaf := genSignedCertWithKey \"leaf\" \
             (list \"10.0.0.1\" \"::1\") (list \"a.example\" \"b\") 5 $ca (genPrivateKey {kind:?}) }}}}\
             {{{{ $own := buildCustomCert (b64enc $leaf.Cert) (b64enc $leaf.Key) }}}}{{{{ eq $own.Cert $leaf.Cert"
        );
        assert_eq!(evaluate(&chain).as_deref(), Ok("true"), "{kind}");
    }
    let mixed = "genSignedCert \"leaf\" nil nil 5 (buildCustomCert (b64enc (genCAWithKey \"a\" 1 (genPrivateKey \"ecdsa\")).Cert) \
                 (b64enc (genPrivateKey \"ecdsa\")))";
    assert!(
        evaluate(mixed)
            .unwrap_err()
            .contains("doesn't match parent's PublicKey")
    );
}

//! Writes the first corpora: the rows of the tables that Go wrote, and the charts of the tests. Run it in this folder;
//! then minimise with `cargo +nightly fuzz cmin`.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let root = Path::new("..");
    for line in fs::read_to_string(root.join("src/template/testdata/cases.jsonl"))?.lines() {
        let (template, _, _): (String, String, String) = serde_json::from_str(line)?;
        save("parse", template.as_bytes())?;
        save("execute", template.as_bytes())?;
    }
    for row in rows(&root.join("tests/golden/functions/expressions.jsonl"))? {
        let expression = row["expression"].as_str().unwrap_or_default();
        save("execute", format!("{{{{ {expression} }}}}").as_bytes())?;
        save("parse", format!("{{{{ {expression} }}}}").as_bytes())?;
    }
    for row in rows(&root.join("src/yaml/testdata/read.jsonl"))? {
        save("yaml_read", row["in"].as_str().unwrap_or_default().as_bytes())?;
    }
    for row in rows(&root.join("src/yaml/testdata/emit.jsonl"))? {
        save("yaml_write", &[b"\0", row["v"].to_string().as_bytes()].concat())?;
        save("yaml_read", row["out"].as_str().unwrap_or_default().as_bytes())?;
    }
    for row in rows(&root.join("src/chart/strvals/testdata.jsonl"))? {
        let flags = ["set", "string", "literal", "json", "file"];
        let flag = flags.iter().position(|flag| row["op"] == **flag).unwrap_or_default();
        let choice = if row["base"].is_null() { flag } else { flag + 10 };
        let text = row["in"].as_str().unwrap_or_default();
        save("set", &[&[u8::try_from(choice)?], text.as_bytes()].concat())?;
    }
    for entry in fs::read_dir(root.join("tests/charts"))? {
        let path = entry?.path().join("chart");
        if path.is_dir() {
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_dir_all("chart", &path)?;
            let tar = builder.into_inner()?;
            let mut encoder = flate2::write::GzEncoder::new(vec![0], flate2::Compression::best());
            encoder.write_all(&tar)?;
            save("archive", &encoder.finish()?)?;
            save("archive", &[b"\x01", tar.as_slice()].concat())?;
        }
    }
    Ok(())
}

fn rows(path: &Path) -> Outcome<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Writes one input, named by a hash of it.
fn save(target: &str, input: &[u8]) -> Outcome<()> {
    let name = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let directory = Path::new("corpus").join(target);
    fs::create_dir_all(&directory)?;
    Ok(fs::write(directory.join(format!("{name:016x}")), input)?)
}

//! Chart archives, and charts made of any files.

use std::io::Write as _;

use arbitrary::{Result, Unstructured};
use fairlead::chart::{ArchiveLimits, Chart, File};
use flate2::{Compression, write::GzEncoder};

/// Tight, so that the limits themselves are met.
const LIMITS: ArchiveLimits = ArchiveLimits {
    compressed: 64 << 10,
    decompressed: 32 << 10,
    nested: 64 << 10,
    files: 40,
    path: 100,
    depth: 3,
};

/// Input: 0 and an archive, 1 and a tar stream, or the choices of which files are built. No file of a chart leaves it, and
/// the sizes stay within the limits.
pub fn archive(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind {
        0 => load(data),
        1 => load(&gzip(data)),
        2 => {
            let files = entries(data).into_iter().map(|(name, _, data)| File::new(name, data));
            if let Ok(chart) = Chart::from_directory(files.collect(), &LIMITS) {
                check(&chart, 0, usize::MAX);
            }
        }
        _ => load(&gzip(&tar(&entries(data)))),
    }
}

fn load(bytes: &[u8]) {
    match Chart::from_archive(bytes, &LIMITS) {
        Ok(chart) => {
            let size = check(&chart, 0, LIMITS.files);
            assert!(size as u64 <= LIMITS.nested, "{size} bytes");
        }
        Err(error) => assert!(error.to_string().len() < 16 << 10, "a long message"),
    }
}

/// Checks a chart and the charts in it. Result: how large its files are.
fn check(chart: &Chart, depth: usize, most: usize) -> usize {
    assert!(depth <= LIMITS.depth);
    assert!(!chart.metadata.name.is_empty());
    let files = || chart.templates.iter().chain(&chart.files);
    assert!(files().count() <= most);
    if most != usize::MAX {
        for file in files() {
            let leaves = file.name.split('/').any(|part| matches!(part, "" | "." | ".."));
            assert!(!leaves && file.name.len() <= LIMITS.path, "{:?}", file.name);
        }
    }
    let below = chart.subcharts.iter().map(|chart| check(chart, depth + 1, most));
    files().map(|file| file.data.len()).sum::<usize>() + below.sum::<usize>()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

type Entry = (String, u8, Vec<u8>);

const NAMES: &[&str] = &[
    "Chart.yaml",
    "values.yaml",
    "values.schema.json",
    "Chart.lock",
    "requirements.yaml",
    ".helmignore",
    "templates/a.yaml",
    "templates/_a.tpl",
    "crds/a.yaml",
    "README.md",
    "charts/b/Chart.yaml",
    "charts/b/values.yaml",
    "charts/b/charts/c/Chart.yaml",
    "charts/b.tgz",
    "charts/_x/a",
    "charts/x",
    "../x",
    "/x",
    "a/../../x",
    "c:/x",
    "./a",
    "a//b",
    "a\\b",
    "..x",
    "",
];

const CONTENTS: &[&str] = &[
    "apiVersion: v2\nname: a\nversion: 1.0.0\n",
    "apiVersion: v1\nname: b\nversion: 1.0.0\n",
    "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- name: b\n  version: '*'\n  alias: c\n  condition: b.on\n  tags: [t]\n  import-values: [x]\n",
    "name: ../x\nversion: 1\n",
    "dependencies:\n- name: b\n  version: 1.x\n",
    "a: 1\nb: {c: null}\n",
    "a: 1\n---\na: 2\n",
    "{",
    "",
    "{\"type\": \"object\"}",
    "*.md\n!README.md\n/charts/\n**\n",
    "[a-\n",
];

/// Files with names and contents that charts have, and with others.
fn entries(data: &[u8]) -> Vec<Entry> {
    let (mut input, mut entries) = (Unstructured::new(data), Vec::new());
    while !input.is_empty() && entries.len() < 60 {
        let Ok(entry) = entry(&mut input, 0) else { break };
        entries.push(entry);
    }
    entries
}

fn entry(input: &mut Unstructured<'_>, depth: usize) -> Result<Entry> {
    let mut name = if input.ratio(1, 8_u8)? {
        String::new()
    } else {
        "a/".to_owned()
    };
    name.push_str(if input.ratio(7, 8_u8)? {
        input.choose(NAMES)?
    } else {
        input.arbitrary()?
    });
    let kind = if input.ratio(1, 16_u8)? {
        input.arbitrary()?
    } else {
        b'0'
    };
    let data = match input.int_in_range(0..=7_u8)? {
        0 => input.arbitrary()?,
        1 if depth < 4 => {
            let count = input.int_in_range(0..=4_u8)?;
            let inner: Result<Vec<Entry>> = (0..count).map(|_| entry(input, depth + 1)).collect();
            gzip(&tar(&inner?))
        }
        2 => vec![b'x'; usize::from(input.arbitrary::<u16>()?)],
        _ => input.choose(CONTENTS)?.as_bytes().to_vec(),
    };
    Ok((name, kind, data))
}

/// A tar stream with names exactly as given: `tar::Builder` would refuse the bad ones.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, data) in entries {
        let mut header = tar::Header::new_gnu();
        let length = name.len().min(100);
        header.as_old_mut().name[..length].copy_from_slice(&name.as_bytes()[..length]);
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(data.len() as u64);
        header.set_cksum();
        // Writing to memory does not fail.
        let _ = builder.append(&header, data.as_slice());
    }
    builder.into_inner().unwrap_or_default()
}

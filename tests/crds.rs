//! The files in `crds/` are what the binary prints.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const REMEDY: &str = "crds/ is stale: run `cargo run -- crd --output-dir crds` and commit the result";

fn file_names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect()
}

#[test]
fn committed_definitions_are_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let fresh = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(["crd", "--output-dir"])
        .arg(fresh.path())
        .status()
        .unwrap();
    assert!(status.success(), "fairlead crd: {status}");
    let names = file_names(fresh.path());
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(file_names(&committed), names, "{REMEDY}");
    for name in names {
        let expected = fs::read_to_string(fresh.path().join(&name)).unwrap();
        let found = fs::read_to_string(committed.join(&name)).unwrap();
        assert!(
            found == expected,
            "crds/{name} differs from what the types say. {REMEDY}"
        );
    }
}

#[test]
fn printed_definitions_are_the_files() {
    let output = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .arg("crd")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut files = String::new();
    for name in file_names(&committed) {
        let text = fs::read_to_string(committed.join(name)).unwrap();
        files.push_str("---\n");
        files.push_str(text.split_once('\n').unwrap().1);
    }
    assert!(printed == files, "{REMEDY}");
}

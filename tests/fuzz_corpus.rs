//! The corpora of the fuzz targets, replayed: whatever a fuzzer found once stays found.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::naive_bytecount,
    reason = "a finding panics; a corpus that cannot be read fails the test; a fuzzed text is short"
)]

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "the fuzzer uses it as a crate")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use fairlead::template::Limits;
use targets::Target;

/// What `fuzz/README.md` promises: small corpora.
const MOST_BYTES: u64 = 1 << 20;

fn directory(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// Replays the corpus of a target on a stack as large as the library asks for. A panic names the input.
fn replay(name: &'static str) {
    let target = targets::TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target): &(&str, Target) = target.unwrap_or_else(|| panic!("no target {name}"));
    let mut files: Vec<_> = fs::read_dir(directory(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{name}: only {} inputs", files.len());
    let run = move || {
        for file in files {
            let input = fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "the input is {}", file.display());
        }
    };
    let thread = std::thread::Builder::new().stack_size(Limits::STACK_BYTES).spawn(run);
    assert!(thread.unwrap().join().is_ok(), "{name} has a finding");
}

/// One test a target, and a test that none is left out.
macro_rules! replayed {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed_and_its_corpus_is_small() {
            let replayed = [$(stringify!($name)),*];
            assert!(targets::TARGETS.iter().map(|(name, _)| *name).eq(replayed));
            let files = replayed.iter().flat_map(|name| fs::read_dir(directory(name)).unwrap());
            let bytes: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes <= MOST_BYTES, "the corpora have {bytes} bytes");
        }
    };
}

replayed!(parse, execute, functions, yaml_read, yaml_write, archive, set);

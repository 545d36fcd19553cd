//! What hostile input may take: each case runs in a process of its own, whose peak of memory is the kernel's.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a fixture that cannot be made fails the test; a child process prints its peak"
)]

use std::io::Write as _;
use std::process::Command;

use fairlead::chart::{ArchiveLimits, Chart};
use flate2::{Compression, write::GzEncoder};

/// Names the case that the process is started for.
const CASE: &str = "FAIRLEAD_MEMORY_CASE";
const MEBIBYTE: usize = 1 << 20;
/// What the test's own process and the fixtures take.
const OWN: usize = 40 * MEBIBYTE;

/// Runs a case in a process of its own. Result: its peak of memory in bytes.
fn peak(name: &str) -> usize {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, name);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().find_map(|line| line.split_once("peak: "));
    line.unwrap_or_else(|| panic!("{text}")).1.trim().parse().unwrap()
}

/// Runs `case` here if this process was started for it, else in a process of its own, and checks what that took.
fn takes_at_most(name: &str, bytes: usize, case: impl FnOnce()) {
    if std::env::var(CASE).is_ok_and(|wanted| wanted == name) {
        case();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
        println!("\npeak: {}", kibibytes * 1024);
        return;
    }
    let peak = peak(name);
    assert!(peak <= OWN + bytes, "{name} took {} MiB", peak / MEBIBYTE);
}

fn gzip(write: impl FnOnce(&mut GzEncoder<Vec<u8>>)) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    write(&mut encoder);
    encoder.finish().unwrap()
}

/// A tar header that says how large its file is.
fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Writes a file of zeros, a mebibyte at a time.
fn zeros(encoder: &mut GzEncoder<Vec<u8>>, name: &str, mebibytes: usize) {
    encoder
        .write_all(header(name, (mebibytes * MEBIBYTE) as u64).as_bytes())
        .unwrap();
    let block = vec![0; MEBIBYTE];
    (0..mebibytes).for_each(|_| encoder.write_all(&block).unwrap());
}

fn file(encoder: &mut GzEncoder<Vec<u8>>, name: &str, data: &[u8]) {
    encoder.write_all(header(name, data.len() as u64).as_bytes()).unwrap();
    encoder.write_all(data).unwrap();
    encoder
        .write_all(&vec![0; data.len().next_multiple_of(512) - data.len()])
        .unwrap();
}

fn refused(archive: &[u8]) -> String {
    Chart::from_archive(archive, &ArchiveLimits::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_bomb_is_refused_by_what_it_says() {
    takes_at_most("a_bomb_is_refused_by_what_it_says", 8 * MEBIBYTE, || {
        let bomb = gzip(|encoder| zeros(encoder, "c/values.yaml", 512));
        assert!(bomb.len() < MEBIBYTE);
        assert_eq!(
            refused(&bomb),
            "decompressed chart is larger than the maximum size 104857600"
        );
    });
}

#[test]
fn a_size_that_is_not_there_takes_nothing() {
    takes_at_most("a_size_that_is_not_there_takes_nothing", 8 * MEBIBYTE, || {
        let lie = gzip(|encoder| encoder.write_all(header("c/values.yaml", 90 << 20).as_bytes()).unwrap());
        assert!(
            refused(&lie).starts_with("chart archive cannot be read"),
            "{}",
            refused(&lie)
        );
    });
}

#[test]
fn many_files_share_the_bound() {
    takes_at_most("many_files_share_the_bound", 150 * MEBIBYTE, || {
        let many = gzip(|encoder| (0..300).for_each(|number| zeros(encoder, &format!("c/{number}"), 1)));
        assert_eq!(
            refused(&many),
            "decompressed chart is larger than the maximum size 104857600"
        );
    });
}

#[test]
fn small_files_are_counted() {
    takes_at_most("small_files_are_counted", 24 * MEBIBYTE, || {
        let many = gzip(|encoder| (0..30_000).for_each(|number| file(encoder, &format!("c/{number}"), b"")));
        assert_eq!(refused(&many), "chart archive has more than 20000 files");
    });
}

#[test]
fn a_long_name_is_bounded() {
    takes_at_most("a_long_name_is_bounded", 400 * MEBIBYTE, || {
        // A GNU long name of a gibibyte.
        let long = gzip(|encoder| {
            let mut name = header("././@LongLink", 1 << 30);
            name.set_entry_type(tar::EntryType::GNULongName);
            name.set_cksum();
            encoder.write_all(name.as_bytes()).unwrap();
            let block = vec![b'a'; MEBIBYTE];
            (0..1024).for_each(|_| encoder.write_all(&block).unwrap());
            file(encoder, "c/x", b"");
        });
        assert!(!refused(&long).is_empty());
    });
}

#[test]
fn bombs_in_a_chart_share_one_bound() {
    takes_at_most("bombs_in_a_chart_share_one_bound", 330 * MEBIBYTE, || {
        let inner = |name: &str| {
            gzip(|encoder| {
                file(
                    encoder,
                    &format!("{name}/Chart.yaml"),
                    format!("{{apiVersion: v2, name: {name}, version: 1.0.0}}").as_bytes(),
                );
                zeros(encoder, &format!("{name}/data"), 90);
            })
        };
        let outer = gzip(|encoder| {
            file(encoder, "c/Chart.yaml", b"{apiVersion: v2, name: c, version: 1.0.0}");
            for number in 0..10 {
                file(
                    encoder,
                    &format!("c/charts/s{number}.tgz"),
                    &inner(&format!("s{number}")),
                );
            }
        });
        let error = refused(&outer);
        assert!(
            error.contains("decompressed chart is larger than the maximum size"),
            "{error}"
        );
    });
}

/// As a repository's index is, of which the largest that is read has 50 MiB.
#[test]
fn a_yaml_text_takes_a_multiple_of_its_size() {
    const SIZE: usize = 4 * MEBIBYTE;
    takes_at_most("a_yaml_text_takes_a_multiple_of_its_size", 18 * SIZE, || {
        let entry = "  - apiVersion: v2\n    created: \"2024-01-01T00:00:00Z\"\n    description: What a chart does, in a sentence\n    \
                     digest: 3d2f7a1c5b\n    keywords:\n    - one\n    - two\n    maintainers:\n    - name: somebody\n    name: shop\n    \
                     urls:\n    - https://example.com/charts/shop-1.0.0.tgz\n    version: 1.0.0\n";
        let yaml = "entries:\n  shop:\n".to_owned() + &entry.repeat(SIZE / entry.len());
        let value = fairlead::yaml::from_slice(yaml.as_bytes()).unwrap();
        assert_eq!(value["entries"]["shop"].as_array().unwrap().len(), SIZE / entry.len());
    });
}

/// A document of a few kilobytes that says that it is gibibytes.
#[test]
fn what_yaml_aliases_repeat_is_bounded() {
    takes_at_most("what_yaml_aliases_repeat_is_bounded", 100 * MEBIBYTE, || {
        let mut yaml = vec![format!("a0: &a0 {}", "x".repeat(100_000))];
        for level in 1..5 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            yaml.push(format!("a{level}: &a{level} [{aliases}]"));
        }
        let error = fairlead::yaml::to_json(yaml.join("\n").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "yaml: document contains excessive aliasing");
    });
}

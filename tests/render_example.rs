//! `examples/render.rs` on charts of ours, as its `main` runs it.

#![expect(clippy::unwrap_used, reason = "a chart that cannot be rendered fails the test")]

use std::io::Write as _;
use std::path::Path;

#[expect(dead_code, reason = "the example's main is not used here")]
#[path = "../examples/render.rs"]
mod example;

use example::Arguments;

fn render(chart: &Path, more: &[&str]) -> String {
    let chart = chart.to_str().unwrap().to_owned();
    let arguments = std::iter::once(chart).chain(more.iter().map(|argument| (*argument).to_owned()));
    example::render_on_thread(Arguments::parse(arguments).unwrap())
        .unwrap()
        .0
}

#[test]
fn a_directory_and_its_archive_render_alike() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/chart/shop");
    let values = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&values, "image: {tag: from-a-file}").unwrap();
    let file = values.path().to_str().unwrap();
    let flags = ["--values", file, "--name", "rel", "--namespace", "ns"];
    let output = render(&chart, &flags);
    assert!(output.starts_with("---\n# Source: shop/templates/"), "{output}");
    assert!(
        output.contains("from-a-file") && output.contains("name: rel-shop"),
        "{output}"
    );

    let packed = tempfile::NamedTempFile::new().unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("shop", &chart).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(packed.as_file(), flate2::Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap();
    assert_eq!(render(packed.path(), &flags), output);
}

#[test]
fn a_seed_and_a_time_make_it_repeatable() {
    let chart = tempfile::tempdir().unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    let file = |name: &str, text: &str| std::fs::write(chart.path().join(name), text).unwrap();
    file("Chart.yaml", "{apiVersion: v2, name: random, version: 1.0.0}");
    file(
        "templates/secret.yaml",
        "{kind: Secret, data: {word: {{ randAlphaNum 30 }}, at: {{ now | quote }}}}",
    );
    let seeded = |seed| render(chart.path(), &["--seed", seed, "--time", "2030-01-01T00:00:00Z"]);
    assert_eq!(seeded("1"), seeded("1"));
    assert_ne!(seeded("1"), seeded("2"));
    assert!(seeded("1").contains("2030-01-01 00:00:00"), "{}", seeded("1"));
    assert_ne!(
        render(chart.path(), &[]),
        render(chart.path(), &[]),
        "without a seed it is random"
    );
}

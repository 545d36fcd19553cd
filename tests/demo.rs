//! `cargo demo -- --once` as people run it. It starts a control plane of its own.

use std::process::Command;

#[test]
fn the_demo_ends_well_and_shows_the_contested_field_and_its_metric() {
    // Cargo builds examples only for a plain `cargo test`, and names their folder to nobody: it runs this one itself.
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--example", "demo", "--", "--once"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}\n{errors}");

    let expected = [
        "\napps/v1 Deployment default/shop  .spec.replicas\n  ours     3\n  theirs   5, of kubectl (Update of the subresource scale)\n  \
         class    Real\n  action   Failed, by onConflict\n",
        "\nfairlead_ssa_conflicts_total{namespace=\"default\",release=\"shop\",kind=\"Deployment\",class=\"Real\",\
         manager_class=\"Human\",action=\"Failed\"} 2\n",
        "\n  action   Yielded, by rules/on-call-may-scale\n",
        "\n  action   Forced, by rules/images-come-from-git\n",
    ];
    for expected in expected {
        assert!(told.contains(expected), "{expected:?} is not in\n{told}\n{errors}");
    }
    assert!(!told.contains('\u{1b}'), "colours that nobody sees:\n{told}");
    assert!(!told.contains('✗') && told.contains('✓'), "{told}");
}

//! The pain points of Flux's users in the order of their rank, and the tests that show what is done here instead.
//!
//! `docs/pain_points.md` is written from this table, and a test fails when a row has no test, or names one that does not exist. A test
//! that exists for one row alone bears its number and stands beside this file; most rows are shown by tests of the parts that they are about.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::support::Result;
use crate::support::documents;

/// What hurts, and what is there instead.
struct Row {
    /// Its rank; the one that was found later has a letter.
    number: &'static str,
    pain: &'static str,
    here: &'static str,
    /// What of it is not there yet; empty if nothing.
    lacking: &'static str,
    /// File below `tests/it`, or from the repository's root, and name.
    tests: &'static [(&'static str, &'static str)],
}

const ROWS: &[Row] = &[
    Row {
        number: "01",
        pain: "A release that failed is stalled for ever, though what it needs is there by now",
        here: "No state is left only by an edit: what failed becomes deployed when its objects are ready, and is attempted again after bounded waits; a change of values ends every wait",
        lacking: "",
        tests: &[
            (
                "releases/remediation.rs",
                "a_failed_upgrade_is_rolled_back_retried_and_heals_without_an_edit",
            ),
            (
                "releases/remediation.rs",
                "a_failed_install_is_uninstalled_retried_and_heals_when_its_pods_do",
            ),
            ("src/plan/course/tests.rs", "no_state_is_left_only_by_an_edit"),
            ("src/plan/course/tests.rs", "a_person_or_a_change_ends_every_wait"),
        ],
    },
    Row {
        number: "02",
        pain: "A release is stuck at `pending-*`, `uninstalling` or Unknown",
        here: "What a killed tool or a crash of the operator left is waited for as long as its action may take, and then followed by a revision",
        lacking: "",
        tests: &[
            (
                "pain_points/stuck.rs",
                "pain_02_whatever_a_killed_helm_was_at_is_healed",
            ),
            ("releases/records.rs", "what_another_tool_left_unfinished_is_healed"),
            (
                "releases/records.rs",
                "helm_inspects_rolls_back_and_uninstalls_a_release",
            ),
            (
                "releases/crashes.rs",
                "an_operator_that_dies_after_each_write_loses_nothing_and_does_nothing_twice",
            ),
        ],
    },
    Row {
        number: "03",
        pain: "A release that waits occupies a worker, and cannot be cancelled by the fix",
        here: "Waiting holds no worker, and ends with a newer spec",
        lacking: "",
        tests: &[
            ("releases/waiting.rs", "waiting_holds_no_worker"),
            (
                "releases/health.rs",
                "readiness_is_what_the_spec_says_and_a_newer_spec_ends_the_wait",
            ),
        ],
    },
    Row {
        number: "04",
        pain: "Memory grows with the cluster's CRDs until the controller is killed",
        here: "No schema of the cluster is read; what is kept of a release's objects is small and bounded",
        lacking: "",
        tests: &[
            (
                "pain_points/scale.rs",
                "pain_04_memory_does_not_grow_with_the_definitions_of_the_cluster",
            ),
            ("tests/cache_memory.rs", "a_child_takes_little_memory"),
        ],
    },
    Row {
        number: "05",
        pain: "There is no diff, plan or dry run",
        here: "`fairlead diff` says what a HelmRelease of a pull request would change in the cluster, `fairlead shadow` and `spec.mode: Shadow` what releases would do under server-side apply, with every conflict; nothing is written",
        lacking: "",
        tests: &[
            (
                "pain_points/preview.rs",
                "pain_05_a_pull_request_is_compared_with_the_cluster_and_nothing_is_written",
            ),
            (
                "diff/verdicts.rs",
                "a_conflict_is_told_with_what_the_policy_would_do_about_it",
            ),
            (
                "diff/files.rs",
                "what_a_file_holds_takes_the_place_of_what_is_in_the_cluster",
            ),
            (
                "shadow/mode.rs",
                "a_shadow_tells_of_conflicts_of_every_class_and_writes_nothing",
            ),
            (
                "shadow/helm.rs",
                "all_helm_releases_of_a_cluster_are_told_of_and_nothing_is_written",
            ),
        ],
    },
    Row {
        number: "06",
        pain: "Drift is not looked for by default, and noisy or an endless loop where it is",
        here: "It is corrected within seconds unless the spec says otherwise; what admission changes is no drift, and a fight ends in a breaker",
        lacking: "",
        tests: &[
            (
                "pain_points/drift.rs",
                "pain_06_what_a_policy_engine_changes_is_no_endless_drift",
            ),
            (
                "releases/drift.rs",
                "drift_is_corrected_reported_or_left_alone_as_the_spec_says",
            ),
            (
                "policies/decisions.rs",
                "a_fight_opens_the_breaker_which_closes_by_itself",
            ),
            (
                "conflicts/admission.rs",
                "row_40_what_a_webhook_changes_is_told_of_until_it_ends",
            ),
            (
                "noop.rs",
                "reconciles_without_a_change_write_nothing_and_list_no_secrets",
            ),
        ],
    },
    Row {
        number: "07",
        pain: "A release can depend on HelmReleases only, is polled, and is deleted in any order",
        here: "Dependencies of any kind with CEL, watched; circles are told by name; releases go before what they depend on",
        lacking: "",
        tests: &[
            (
                "releases/order.rs",
                "a_release_is_installed_when_what_it_depends_on_is_ready",
            ),
            ("releases/order.rs", "a_cycle_is_told_by_the_names_of_its_members"),
            ("releases/order.rs", "releases_go_before_what_they_depend_on"),
            (
                "releases/identity.rs",
                "a_dependency_is_looked_at_with_the_rights_of_the_service_account",
            ),
        ],
    },
    Row {
        number: "08",
        pain: "Server-side apply breaks charts, or conflicts are avoided by forcing everything silently",
        here: "What a chart does wrong is told with its place before anything is written; fields are forced only where a policy says so; nothing is sent that has not changed",
        lacking: "",
        tests: &[
            ("conflicts/refusals.rs", "row_29_duplicate_entries_are_the_charts_fault"),
            ("conflicts/refusals.rs", "row_31_unknown_fields_are_the_charts_fault"),
            (
                "releases/uninstalling.rs",
                "crds_are_skipped_created_or_replaced_and_never_deleted",
            ),
            (
                "noop.rs",
                "reconciles_without_a_change_write_nothing_and_list_no_secrets",
            ),
        ],
    },
    Row {
        number: "09",
        pain: "Managers of former tools keep fields for ever",
        here: "With the first apply, what a predecessor applied becomes the release's, and what left the chart leaves the objects",
        lacking: "",
        tests: &[
            (
                "releases/predecessors.rs",
                "a_release_of_the_real_helm_3_is_adopted_without_a_pod_that_changes",
            ),
            (
                "releases/predecessors.rs",
                "a_release_of_the_real_helm_controller_is_adopted_without_a_pod_that_changes",
            ),
            (
                "releases/takeover.rs",
                "what_left_the_chart_of_helm_3_leaves_the_objects",
            ),
            (
                "conflicts/history.rs",
                "row_42_the_version_that_an_object_is_owned_in_is_removed",
            ),
        ],
    },
    Row {
        number: "10",
        pain: "An autoscaler's replicas are reset at every upgrade, and nobody is told",
        here: "Well-known owners keep their fields, through upgrades and rollbacks; what is forced is told with both values",
        lacking: "",
        tests: &[
            ("policies.rs", "an_autoscaler_keeps_its_replicas"),
            ("conflicts/controllers.rs", "row_01_an_autoscaler_keeps_its_replicas"),
            ("policies.rs", "a_forced_field_is_taken_and_told"),
        ],
    },
    Row {
        number: "11",
        pain: "A release is not rolled back, because there is no target that the controller made itself",
        here: "What Helm deployed is a target, too; where there is none, that is said, and the attempt goes on",
        lacking: "",
        tests: &[
            (
                "releases/remediation.rs",
                "a_release_that_helm_made_is_rolled_back_to_what_helm_made",
            ),
            (
                "releases/remediation.rs",
                "what_is_only_retried_is_never_undone_and_what_has_no_target_says_so",
            ),
        ],
    },
    Row {
        number: "12",
        pain: "Changes of `valuesFrom` are seen at the interval or with a label only; nulls are lost",
        here: "What is referred to is watched without labels; a null removes the chart's default, in `spec.values` as well, and `fairlead diff` warns of the way in which it is lost",
        lacking: "a null in `spec.values` that `kubectl apply` without `--server-side` drops",
        tests: &[
            ("releases/references.rs", "a_change_of_values_is_seen_at_once"),
            ("releases/sources.rs", "values_from_config_map_and_secret"),
            (
                "pain_points/inputs.rs",
                "pain_12_a_null_in_values_from_a_config_map_removes_a_default",
            ),
            (
                "pain_points/inputs.rs",
                "pain_12_a_null_in_the_spec_removes_a_default_unless_kubectl_drops_it",
            ),
        ],
    },
    Row {
        number: "13",
        pain: "Errors are opaque: a timeout does not say what it waited for",
        here: "`Ready` names the objects that are awaited and why, the step that hangs, and what a hook printed",
        lacking: "",
        tests: &[
            ("releases/waiting.rs", "waiting_holds_no_worker"),
            (
                "releases/references.rs",
                "a_reconcile_that_hangs_is_cut_short_and_says_so",
            ),
            (
                "releases/hooks.rs",
                "the_output_of_a_hook_is_told_where_its_policy_asks",
            ),
        ],
    },
    Row {
        number: "14",
        pain: "Fields that cannot be changed need a person's `kubectl delete`",
        here: "Objects are recreated where the spec says so, never those that hold data; the defaults of another strategy are no obstacle",
        lacking: "",
        tests: &[
            (
                "releases/immutable.rs",
                "what_cannot_be_changed_is_recreated_only_when_told_to_and_never_data",
            ),
            (
                "releases/immutable.rs",
                "a_rollback_recreates_objects_only_when_it_is_told_to_itself",
            ),
            ("conflicts/unions.rs", "row_28_defaults_of_another_strategy_are_nobodys"),
        ],
    },
    Row {
        number: "15",
        pain: "CRDs of charts are not upgraded, or are taken from others",
        here: "`Skip`, `Create` and `CreateReplace` do what they say, and what is replaced is told",
        lacking: "",
        tests: &[(
            "releases/uninstalling.rs",
            "crds_are_skipped_created_or_replaced_and_never_deleted",
        )],
    },
    Row {
        number: "16",
        pain: "Whether hooks are post-rendered changed from version to version",
        here: "`postRenderStrategy` says it, with Flux's values",
        lacking: "",
        tests: &[(
            "releases/post_rendering.rs",
            "post_renderers_and_common_metadata_change_what_is_applied_and_recorded",
        )],
    },
    Row {
        number: "16b",
        pain: "Charts whose release record is over 1 MiB cannot be released",
        here: "A record has what Helm shows and no file of the chart",
        lacking: "",
        tests: &[
            (
                "pain_points/scale.rs",
                "pain_16b_a_chart_that_is_too_large_for_helms_record_is_released",
            ),
            ("releases/records.rs", "a_record_is_a_fifth_of_helms"),
        ],
    },
    Row {
        number: "17",
        pain: "Metrics say something else than the status, stay behind, or are not there",
        here: "Conditions, conflicts, drift and how reconciles end are metrics with alerts that are tested on a real operator; series go with their release",
        lacking: "",
        tests: &[
            (
                "pain_points/leaving.rs",
                "pain_17_metrics_say_what_ready_says_and_go_with_the_release",
            ),
            ("alerts.rs", "each_trouble_raises_its_alert_and_nothing_else_does"),
        ],
    },
    Row {
        number: "18",
        pain: "Nobody sees the merged values, or everybody sees what is secret in them",
        here: "`fairlead values --all` shows them, before the release as well, to whoever may read what they come from, and `helm get values --all` those of a revision; no status, event, metric or log has a secret",
        lacking: "",
        tests: &[
            (
                "pain_points/preview.rs",
                "pain_18_the_merged_values_are_shown_to_whoever_may_read_them",
            ),
            (
                "releases/records.rs",
                "helm_inspects_rolls_back_and_uninstalls_a_release",
            ),
            ("policies/secrets.rs", "the_value_of_a_secret_is_shown_nowhere"),
            (
                "releases/lookups.rs",
                "a_look_up_that_fails_says_why_and_shows_no_secret",
            ),
        ],
    },
    Row {
        number: "19",
        pain: "Releases are upgraded though nothing changed",
        here: "A revision begins when the digest of what makes it differs, and not by resuming, restarting or asking",
        lacking: "",
        tests: &[
            (
                "pain_points/inputs.rs",
                "pain_19_nothing_is_upgraded_that_has_not_changed",
            ),
            (
                "noop.rs",
                "reconciles_without_a_change_write_nothing_and_list_no_secrets",
            ),
        ],
    },
    Row {
        number: "20",
        pain: "Objects are left behind when a release, its namespace or its account is deleted",
        here: "The inventory is written before the objects, and the HelmRelease stays until they are gone; an account that is gone holds nothing up",
        lacking: "",
        tests: &[
            (
                "pain_points/leaving.rs",
                "pain_20_a_namespace_that_is_deleted_takes_what_its_releases_have_in_the_cluster",
            ),
            ("releases/sources.rs", "a_release_that_moves_leaves_nothing_behind"),
            (
                "releases/identity.rs",
                "a_release_whose_service_account_is_gone_can_be_deleted",
            ),
            (
                "releases/uninstalling.rs",
                "an_uninstall_waits_as_long_as_it_is_told_to_and_spares_dependents_when_it_is_told_to",
            ),
        ],
    },
    Row {
        number: "21",
        pain: "Releases flap while the artifact server of the source controller is away",
        here: "Charts are fetched by the operator itself and kept; a source that fails says so, and releases go on with what was fetched",
        lacking: "",
        tests: &[
            (
                "pain_points/inputs.rs",
                "pain_21_releases_do_not_flap_while_their_source_is_away",
            ),
            (
                "releases/kept.rs",
                "a_source_that_fails_says_so_and_releases_go_on_with_what_was_fetched",
            ),
        ],
    },
    Row {
        number: "22",
        pain: "The digest of an OCI artifact in the chart's version breaks labels and image tags",
        here: "The version is the chart's own, the digest stands beside it; `valuesFiles` act on charts from anywhere",
        lacking: "",
        tests: &[
            (
                "pain_points/inputs.rs",
                "pain_22_the_version_of_a_chart_from_a_registry_is_its_own",
            ),
            ("releases/kept.rs", "a_tag_that_moves_upgrades_the_releases"),
            (
                "releases/post_rendering.rs",
                "values_files_of_the_chart_replace_its_values",
            ),
        ],
    },
    Row {
        number: "23",
        pain: "Two releases that have one object take it from each other in turn",
        here: "The second one is told of the first, and nothing is written unless a policy says who has the field",
        lacking: "",
        tests: &[
            (
                "conflicts/controllers.rs",
                "row_39_another_fairlead_release_is_a_sibling",
            ),
            ("conflicts/unions.rs", "row_37_two_releases_have_one_definition"),
            ("releases/records.rs", "the_history_has_its_limit_and_can_be_kept"),
        ],
    },
    Row {
        number: "24",
        pain: "Waiting hangs on Jobs that were removed when they had finished",
        here: "A Job that ran and is gone is done, among the objects and as a hook, and is no drift",
        lacking: "",
        tests: &[
            (
                "pain_points/stuck.rs",
                "pain_24_jobs_that_are_removed_when_they_have_finished_end_every_wait_and_run_once",
            ),
            (
                "releases/hooks.rs",
                "a_hook_that_runs_while_the_operator_dies_is_not_run_again",
            ),
        ],
    },
    Row {
        number: "25",
        pain: "Changes cannot be held back until somebody approves, or until a window opens",
        here: "An upgrade waits until exactly that change is approved, and until a window of time opens; what is deployed is kept right \
            meanwhile, and the status says what is held and what approves it",
        lacking: "",
        tests: &[
            (
                "pain_points/gates.rs",
                "pain_25_an_upgrade_waits_for_the_approval_of_exactly_that_change",
            ),
            (
                "pain_points/gates.rs",
                "pain_25_an_upgrade_waits_until_a_window_of_time_opens",
            ),
            (
                "releases/gates.rs",
                "an_upgrade_that_has_begun_goes_on_and_is_rolled_back_while_the_next_is_held_back",
            ),
            (
                "pain_points/leaving.rs",
                "pain_25_a_release_is_held_until_a_person_opens_the_window",
            ),
            ("shadow/mode.rs", "an_applied_release_can_go_into_the_shadow_and_back"),
        ],
    },
    Row {
        number: "26",
        pain: "Events are noise",
        here: "Equal events are one series, similar ones are joined, and nothing that did not happen is told",
        lacking: "",
        tests: &[
            (
                "policies/record.rs",
                "the_same_conflict_is_one_event_however_often_it_comes",
            ),
            (
                "policies/record.rs",
                "a_status_with_conflicts_is_sorted_capped_and_not_written_again",
            ),
            (
                "noop.rs",
                "reconciles_without_a_change_write_nothing_and_list_no_secrets",
            ),
        ],
    },
    Row {
        number: "27",
        pain: "The controller needs to be the cluster's administrator",
        here: "Its own rights are few; releases have those of an account, or of an installation that is restricted to applications",
        lacking: "",
        tests: &[
            (
                "resources.rs",
                "the_controllers_own_rights_are_enough_for_its_resources_and_no_more",
            ),
            (
                "deployed.rs",
                "the_restricted_installation_releases_applications_and_no_more",
            ),
            (
                "deployed.rs",
                "the_installation_for_tenants_gives_a_release_the_rights_of_its_account",
            ),
            (
                "releases/identity.rs",
                "everything_of_a_release_is_done_with_the_rights_of_its_service_account",
            ),
        ],
    },
];

/// The path of a test's file from the repository's root.
fn path(file: &str) -> String {
    if file.starts_with("src/") || file.starts_with("tests/") {
        file.to_owned()
    } else {
        format!("tests/it/{file}")
    }
}

fn read(file: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path(file));
    Ok(std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// Whether the text has a test of this name: one that is marked as such.
fn has_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let marks = before.lines().rev().take(3);
    marks
        .into_iter()
        .any(|line| line.trim().starts_with("#[test") || line.trim().starts_with("#[tokio::test"))
}

/// Whether a test is there and is run: the conflict scenarios are run from the lines of their catalogue.
fn is_there(file: &str, test: &str) -> Result<bool> {
    if test.starts_with("row_") {
        return Ok(read("conflicts/catalogue.rs")?.contains(&format!("::{test}:"))
            && read(file)?.contains(&format!("fn {test}(")));
    }
    Ok(has_test(&read(file)?, test))
}

#[test]
fn every_pain_point_has_its_tests() -> Result {
    let mut numbers: Vec<String> = (1..=27).map(|number| format!("{number:02}")).collect();
    numbers.insert(16, "16b".to_owned());
    assert_eq!(ROWS.iter().map(|row| row.number).collect::<Vec<_>>(), numbers);
    let mut problems = Vec::new();
    for Row { number, tests, .. } in ROWS {
        if tests.is_empty() {
            problems.push(format!("row {number} has no test"));
        }
        for (file, test) in *tests {
            if !is_there(file, test)? {
                problems.push(format!("row {number}: {file} has no test {test}"));
            }
        }
    }
    assert_eq!(problems, Vec::<String>::new());
    Ok(())
}

/// A test that bears the number of a row is one of its tests.
#[test]
fn every_test_of_a_pain_point_is_in_its_row() -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pain_points");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("async fn pain_")?.split('(').next());
        found.extend(names.map(|name| format!("pain_{name}")));
    }
    let named = |row: &Row| {
        let prefix = format!("pain_{}_", row.number);
        let tests = row.tests.iter().map(|(_, test)| (*test).to_owned());
        tests.filter(move |test| test.starts_with(&prefix)).collect::<Vec<_>>()
    };
    let named: BTreeSet<String> = ROWS.iter().flat_map(named).collect();
    assert_eq!(found, named);
    Ok(())
}

#[test]
fn a_test_that_is_not_there_is_noticed() -> Result {
    assert!(!is_there("noop.rs", "nothing_of_the_kind")?);
    assert!(!is_there("conflicts/refusals.rs", "row_99_nothing_of_the_kind")?);
    // A function that is no test.
    assert!(!has_test("#[test]\nfn one() {}\n\n\n\nfn helper() {}", "helper"));
    assert!(has_test("/// It is.\n#[tokio::test]\nasync fn one() {}", "one"));
    Ok(())
}

#[test]
fn the_document_is_current() -> Result {
    let mut text = include_str!("pain_points.md").to_owned();
    text.push_str("| # | What hurts | Here | Not there yet | Shown by |\n|--:|---|---|---|---|\n");
    for Row {
        number,
        pain,
        here,
        lacking,
        tests,
    } in ROWS
    {
        let number = number.trim_start_matches('0');
        let tests: Vec<String> = tests
            .iter()
            .map(|(file, test)| format!("[`{test}`](../{})", path(file)))
            .collect();
        _ = writeln!(
            text,
            "| {number} | {pain} | {here} | {lacking} | {} |",
            tests.join("<br>")
        );
    }
    documents::check("docs/pain_points.md", &text)
}

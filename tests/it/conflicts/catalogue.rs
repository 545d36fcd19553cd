//! The catalogue of conflict scenarios: which tests show them, and which decisions each of them meets.
//!
//! A line of the table makes the test: it opens a release with its operator, runs the scenario, and fails unless the
//! scenario met exactly the decisions that the line says, and nothing tells of any other. What is told of each decision is
//! checked in `told`. `docs/conflicts.md` is written from the same table, so it cannot say what the tests do not show. To
//! add a scenario, write `pub(crate) async fn row_NN_what_happens(play: &mut Play) -> Result` in a module beside this one,
//! and add its line here. With the name of the module, the lines of one row may stand in any order.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fairlead::api::helm_release::ownership_status::{ConflictClass, ConflictOutcome};

use super::contest::Decision;
use super::play::Play;
use super::{admission, adoption, controllers, history, losses, operators, people, refusals, unions, webhooks};
use crate::support::Result;
use crate::support::documents;

/// The rows that no test shows yet.
const MISSING: &[usize] = &[];

macro_rules! decision {
    (Refused) => {
        Decision::Refused
    };
    (HandedOver) => {
        Decision::HandedOver
    };
    ($class:ident $action:ident) => {
        Decision::About(ConflictClass::$class, ConflictOutcome::$action)
    };
}

macro_rules! catalogue {
    ($($module:ident :: $test:ident : $($($word:ident)+),* ;)+) => {
        const CATALOGUE: &[Scenario] = &[$(Scenario {
            test: stringify!($test),
            decisions: &[$(decision!($($word)+)),*],
        }),+];

        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> Result {
                let mut play = Play::open(stringify!($test)).await?;
                $module::$test(&mut play).await?;
                play.ends(&[$(decision!($($word)+)),*]).await
            }
        )+
    };
}

catalogue! {
    controllers::row_01_an_autoscaler_keeps_its_replicas: Real Yielded;
    controllers::row_01_a_yielded_field_stays_yielded_until_its_owner_lets_go: Real Yielded, Phantom Yielded;
    losses::row_01_what_was_yielded_outlives_a_restart: Real Yielded, Phantom Yielded;
    people::row_02_kubectl_scale_is_a_persons_change: Real Failed, Real Forced;
    controllers::row_03_replicas_are_handed_over_to_the_autoscaler_of_the_release: HandedOver;
    controllers::row_03_without_an_autoscaler_a_dropped_field_goes_back_to_its_default: ;
    operators::row_04_keda_scales_with_an_autoscaler_of_its_own: Real Yielded;
    operators::row_05_the_vertical_autoscaler_sizes_containers: Real Yielded;
    adoption::row_06_a_path_of_another_version_is_reported_as_the_server_names_it: Real Failed, Real Yielded, Real Forced;
    operators::row_07_a_rollout_extends_a_selector: Real Yielded;
    webhooks::row_08_an_injected_bundle_is_kept_where_the_chart_has_none: ;
    webhooks::row_09_a_placeholder_never_replaces_an_injected_bundle: Real Yielded;
    webhooks::row_10_a_job_patches_the_bundle: Real Yielded;
    webhooks::row_11_an_operator_patches_the_bundles_of_its_webhooks: Real Yielded;
    webhooks::row_12_a_bundle_that_the_chart_looked_up_is_rotated: Real Yielded;
    webhooks::row_13_istiod_sets_the_failure_policy: Real Yielded;
    webhooks::row_14_a_bundle_outlives_the_conversion_that_it_is_for: Union Failed, Union Forced;
    webhooks::row_15_a_webhook_leaves_the_chart_with_what_others_have_in_it: Real Forced;
    people::row_16_an_edited_image_follows_the_policy: Real HandedOff, Real Retrying, Real Yielded, Real Forced;
    people::row_17_a_dotted_key_has_an_exact_path: Real Yielded;
    history::row_18_client_side_kubectl_was_here_before: Legacy Resolved;
    people::row_19_kubectl_server_side_apply_is_an_apply_owner: Real Failed;
    people::row_20_a_rollout_restart_survives: ;
    history::row_21_people_use_dashboards: Real Yielded;
    adoption::row_22_reset_managed_fields_are_taken_back: Legacy Resolved, Lost Resolved;
    losses::row_22_a_field_that_somebody_removed_follows_the_policy: Lost Resolved, Lost Yielded, Lost Failed;
    losses::row_22_wiped_managed_fields_are_noticed: Lost Resolved;
    history::row_23_the_ledger_knows_who_wrote_before_entries_were_merged: Real Yielded;
    adoption::row_24_a_helm_3_release_with_the_same_manifest_is_only_phantoms: Phantom Resolved;
    adoption::row_25_a_predecessors_fields_are_ours: Legacy Resolved, Real Failed;
    history::row_26_tools_that_embed_helm_were_here_before: ;
    history::row_27_what_a_predecessor_wrote_goes_when_the_chart_drops_it: ;
    unions::row_28_a_port_is_renumbered: Union Failed, Union Forced;
    unions::row_28_a_predecessors_port_is_renumbered: Union Resolved;
    unions::row_28_a_variable_has_one_source: Union Failed, Union Yielded, Union Forced;
    unions::row_28_defaults_of_another_strategy_are_nobodys: Union Resolved;
    refusals::row_29_duplicate_entries_are_the_charts_fault: Refused;
    unions::row_30_one_port_twice_is_the_charts_fault: Refused;
    refusals::row_31_unknown_fields_are_the_charts_fault: Refused;
    unions::row_32_a_chart_made_from_a_live_object_is_cleaned: ;
    controllers::row_33_the_rules_of_an_aggregated_cluster_role_are_never_taken: Real Yielded;
    operators::row_34_an_operator_completes_the_items_of_an_atomic_list: Phantom Resolved, Real Failed, Real Forced;
    operators::row_35_an_operator_fills_a_secret: Real Yielded;
    losses::row_35_a_rival_that_writes_string_data_is_noticed: Real Failed;
    operators::row_36_an_add_on_is_configured_by_its_cloud: Real Yielded;
    unions::row_37_two_releases_have_one_definition: Sibling Failed;
    operators::row_38_a_cloud_adds_to_a_config_map: Real Yielded;
    operators::row_38_an_allocated_port_belongs_to_nobody: ;
    controllers::row_39_a_fight_is_broken: Real Forced, Real HandedOff;
    controllers::row_39_another_fairlead_release_is_a_sibling: Sibling Failed, Sibling Forced;
    losses::row_40_admission_is_told_of_until_it_ends: Admission Yielded;
    admission::row_40_what_a_webhook_changes_is_told_of_until_it_ends: Admission Yielded;
    refusals::row_41_a_change_after_the_decision_is_decided_anew: Real Forced, Real Failed;
    refusals::row_41_an_object_that_vanishes_after_the_decision_is_created: ;
    history::row_42_the_version_that_an_object_is_owned_in_is_removed: Lost Resolved;
}

/// Who meets whom in each row; row 1 first.
const ROWS: [&str; 42] = [
    "An autoscaler and the chart both set the replicas of a Deployment",
    "A person runs `kubectl scale`",
    "A chart drops the replicas before the autoscaler has written them",
    "KEDA's ScaledObject scales through an autoscaler of its own",
    "The vertical autoscaler changes requests of a container",
    "The object is owned in another API version, which has other fields",
    "Argo Rollouts adds a key to the selector of a Service, which is one value as a whole",
    "cert-manager injects a bundle where the chart has none",
    "The chart has a placeholder where a controller injects a bundle",
    "A Job of the chart patches the bundle of a webhook",
    "An operator patches the bundles of its own webhooks",
    "The chart renders a bundle that it looked up, and it is rotated",
    "istiod sets the failure policy of its webhook",
    "Conversion of a CRD: a bundle and the strategy None exclude each other",
    "The chart removes a webhook of which others own fields",
    "A person changes an image with `kubectl edit`, `set` or `patch`",
    "A person patches a key with dots in a ConfigMap",
    "The object was made by client-side `kubectl apply`",
    "A person runs `kubectl apply --server-side`",
    "A person runs `kubectl rollout restart`",
    "A person uses a dashboard",
    "Somebody resets the managed fields",
    "So many wrote to the object that the server merged the oldest entries",
    "A release of Helm 3 with the same manifest",
    "A release of Helm 3 with another value",
    "A release of another tool that embeds Helm",
    "The chart drops a field that a predecessor wrote",
    "The chart renumbers a port",
    "The chart has one environment variable twice",
    "The chart has one port twice",
    "The chart has a field that the schema does not know, or of another type",
    "The chart was made from the output of `kubectl get`",
    "The controller fills the rules of an aggregated ClusterRole",
    "An operator sets defaults inside a list that is one value as a whole",
    "An operator fills the data of a Secret",
    "A cloud provider's add-on is configured by hand",
    "Several releases have the same CRD",
    "Other parts of the cluster add to a ConfigMap, or allocate a port",
    "Two releases or tools claim the same field",
    "Admission sets another value than was applied",
    "The object changes, or vanishes, between decision and write",
    "A version of a CRD is removed, and with it what was owned in it",
];

/// One test of the catalogue.
struct Scenario {
    test: &'static str,
    decisions: &'static [Decision],
}

impl Scenario {
    fn row(&self) -> usize {
        let number = self.test.strip_prefix("row_").and_then(|rest| rest.split('_').next());
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

/// The cells of class and action.
fn cells(decisions: &[Decision]) -> (String, String) {
    let told: Vec<_> = decisions.iter().map(|decision| decision.told()).collect();
    let mut classes: Vec<&str> = told.iter().map(|(class, _)| *class).collect();
    classes.dedup();
    let actions: Vec<String> = told
        .iter()
        .map(|(class, action)| match classes.len() {
            1 => (*action).to_owned(),
            _ => format!("{class}: {action}"),
        })
        .collect();
    if actions.is_empty() {
        return ("–".to_owned(), "nothing is contested".to_owned());
    }
    (classes.join(", "), actions.join(", "))
}

fn document() -> String {
    let mut text = include_str!("conflicts.md").to_owned();
    text.push_str("| # | Scenario | Class | Action | Test |\n|--:|---|---|---|---|\n");
    for (row, title) in (1..).zip(ROWS) {
        let mut tests = CATALOGUE.iter().filter(|scenario| scenario.row() == row).peekable();
        if tests.peek().is_none() {
            _ = writeln!(text, "| {row} | {title} | | | none yet |");
        }
        for (place, scenario) in tests.enumerate() {
            let (class, action) = cells(scenario.decisions);
            let title = if place == 0 { title } else { "″" };
            _ = writeln!(text, "| {row} | {title} | {class} | {action} | `{}` |", scenario.test);
        }
    }
    text
}

#[test]
fn the_document_is_current() -> Result {
    documents::check("docs/conflicts.md", &document())
}

#[test]
fn every_row_has_its_test_or_is_known_to_lack_one() {
    let shown: BTreeSet<usize> = CATALOGUE.iter().map(Scenario::row).collect();
    let missing: Vec<usize> = (1..=ROWS.len()).filter(|row| !shown.contains(row)).collect();
    assert_eq!(missing, MISSING);
    assert!(shown.iter().all(|row| (1..=ROWS.len()).contains(row)), "{shown:?}");
}

//! Fields that are left to others stay so in the next process, however many they are.

use std::sync::Arc;

use fairlead::ownership::ledger::{Ledger, ObjectRecord, Yielded};
use fairlead::ownership::policy::OnConflict;
use serde_json::json;

use super::stage::{Stage, config_map};
use crate::support::Result;

/// As the ledger is when the process begins anew, and the resource had no room for the fields that are left to others.
fn after_a_restart(stage: &mut Stage) {
    let before = std::mem::take(&mut stage.ledger);
    let mut ledger = Ledger::default();
    for record in before.objects() {
        ledger.insert(ObjectRecord {
            intent_hash: String::new(),
            contested: Vec::new(),
            yielded: Yielded::Unlisted,
            ..record.clone()
        });
    }
    stage.ledger = ledger;
}

#[tokio::test]
async fn a_field_stays_with_its_owner_though_the_ledger_had_no_room_for_it() -> Result {
    let mut stage = Stage::open("unlisted").await;
    stage.rule(&[".data.theirs"], &[], OnConflict::Yield);
    let chart = config_map("config", json!({"theirs": "chart", "ours": "chart"}));
    stage.apply(&chart).await?;
    stage.patch_as("kubectl-edit", &chart, &json!({"data": {"theirs": "person"}})).await;
    stage.apply(&chart).await?;
    let theirs = ".data.theirs".parse()?;

    after_a_restart(&mut stage);
    // The chart has come to want what the person wrote: no conflict tells that the field is theirs.
    let alike = config_map("config", json!({"theirs": "person", "ours": "chart"}));
    let applied = stage.apply(&alike).await?;
    assert!(!applied.owned.contains(&theirs), "the field is shared now");
    assert_eq!(applied.contested.len(), 1, "{:?}", applied.contested);
    let record = stage.ledger.shared(&stage.reference(&chart));
    let listed = Yielded::of(&applied.contested);
    assert_eq!(record.map(|record| Arc::unwrap_or_clone(record).yielded), Some(listed));

    // What nobody yields any more is wanted again.
    stage.policy.release_rules.clear();
    after_a_restart(&mut stage);
    let applied = stage.apply(&alike).await?;
    assert!(applied.owned.contains(&theirs));
    Ok(())
}

//! What is told of conflicts does not grow with how often they are met: events are joined, and a status that says the same
//! is not written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{contested, key_becomes, lets_go, rival, shop};
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};

/// The events about a release, by reason and note.
async fn events(installation: &Installation, release: &HelmRelease) -> Result<BTreeMap<(String, String), Vec<Event>>> {
    let all: Api<Event> = installation.api();
    let mut found: BTreeMap<_, Vec<Event>> = BTreeMap::new();
    for event in all.list(&ListParams::default()).await? {
        let about = event.regarding.as_ref().and_then(|regarding| regarding.uid.clone());
        if about == release.uid() {
            let key = (
                event.reason.clone().unwrap_or_default(),
                event.note.clone().unwrap_or_default(),
            );
            found.entry(key).or_default().push(event);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_conflict_is_one_event_however_often_it_comes() -> Result {
    let retry = json!({"limit": 2, "interval": "1s", "then": "Fail"});
    let installation = shop("events", json!({"onConflict": "Retry", "retry": retry})).await?;
    for _ in 0..3 {
        rival(&installation, json!("theirs")).await?;
        contested(&installation, "Failed").await?;
        lets_go(&installation).await?;
        key_becomes(&installation, "shop", "ours").await?;
        installation.ready_is("shop", "True", &[]).await?;
    }
    let release = installation.api::<HelmRelease>().get("shop").await?;
    let started = Instant::now();
    loop {
        let events = events(&installation, &release).await?;
        let twice = events.iter().find(|(_, events)| events.len() > 1);
        assert!(twice.is_none(), "one series would do: {twice:?}");
        let count = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
        let failed = events.iter().filter(|((reason, _), _)| reason == "ConflictFailed");
        let counts: Vec<i32> = failed.flat_map(|(_, events)| events.iter().map(count)).collect();
        if counts.iter().any(|count| *count >= 2) {
            assert_eq!(counts.len(), 1, "{counts:?}");
            assert!(events.len() <= 6, "{:?}", events.keys());
            return Ok(());
        }
        if started.elapsed() > DEADLINE {
            return Err(format!("no series among {:?}", events.keys()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const KEYS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
{{- range until 40 }}
  key-{{ printf "%02d" . }}: ours
{{- end }}
"#;

/// This manager takes keys of the map.
async fn takes(installation: &Installation, manager: &str, keys: std::ops::Range<usize>) -> Result {
    let data: serde_json::Map<String, Value> = keys.map(|key| (format!("key-{key:02}"), json!(manager))).collect();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": data});
    let maps: Api<ConfigMap> = installation.api();
    let parameters = PatchParams::apply(manager).force();
    maps.patch("shop", &parameters, &Patch::Apply(map)).await?;
    Ok(())
}

async fn more_reconciles(installation: &Installation, more: u32) -> Result {
    let reconciles = async || -> Result<f64> {
        let metrics = installation.operator.metrics().await?;
        Ok(metrics
            .sum("fairlead_reconciles_total", &[("kind", "HelmRelease")])
            .unwrap_or_default())
    };
    let wanted = reconciles().await? + f64::from(more);
    let started = Instant::now();
    while reconciles().await? < wanted {
        if started.elapsed() > DEADLINE {
            return Err("too few reconciles".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_with_conflicts_is_sorted_capped_and_not_written_again() -> Result {
    let installation = Installation::start("record").await?;
    let files = [("templates/keys.yaml", KEYS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    let spec = json!({"interval": "1s", "ownership": {"onConflict": "Yield"}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &[]).await?;
    // Two owners of most fields: more contests than a status lists.
    takes(&installation, "rival-b", 0..40).await?;
    takes(&installation, "rival-a", 10..40).await?;
    takes(&installation, "rival-b", 0..40).await?;
    contested(&installation, "Yielded").await?;
    more_reconciles(&installation, 5).await?;
    let releases: Api<HelmRelease> = installation.api();
    let before = releases.get("shop").await?;
    more_reconciles(&installation, 5).await?;
    let after = releases.get("shop").await?;
    assert_eq!(
        before.resource_version(),
        after.resource_version(),
        "{:?} {:?}",
        before.status,
        after.status
    );

    let status = serde_json::to_value(&after.status)?;
    let ownership = &status["ownership"];
    let fields: Vec<(&str, &str)> = ownership["contested"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|field| Some((field["path"].as_str()?, field["manager"].as_str()?)))
        .collect();
    assert!(fields.is_sorted(), "{fields:?}");
    assert!(!fields.is_empty() && fields.len() <= 50, "{}", fields.len());
    assert_eq!(
        ownership["contested"][0]["object"],
        format!("v1 ConfigMap {}/shop", installation.namespace.name())
    );

    // As many events as a person can read, and each names a field.
    let events = events(&installation, &after).await?;
    let yielded: Vec<&String> = events
        .keys()
        .filter(|(reason, _)| reason == "FieldYielded")
        .map(|(_, note)| note)
        .collect();
    assert!((2..=11).contains(&yielded.len()), "{yielded:?}");
    assert!(
        yielded
            .iter()
            .all(|note| note.contains(".data[\"key-") || note.contains(".data.key-")),
        "{yielded:?}"
    );
    Ok(())
}

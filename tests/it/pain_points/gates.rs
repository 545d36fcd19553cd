//! Upgrades are held back until somebody approves them, or until a window of time opens; what is deployed is kept meanwhile.

use fairlead::api::HelmRelease;
use fairlead::api::helm_repository::HelmRepository;
use fairlead_controlplane::AuditEvent;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{Timestamp, ToSpan as _};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::diff::run;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition, history};
use crate::support::operator::Operator;
use crate::support::wait::becomes;

const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: {{ .Values.color }}, size: {{ .Values.size }}}
";

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/map.yaml", CHART),
        ("values.yaml", "color: red\nsize: big\n"),
    ];
    installation.repository.add("web", "1.0.0", &files).await?;
    Ok(installation)
}

/// Makes or changes the release: with a gate, and a color.
async fn release(installation: &Installation, gate: &Value, color: &str) -> Result<HelmRelease> {
    let spec = json!({"interval": "1h", "ownership": {"onConflict": "Force"}, "upgrade": {"gate": gate}, "values": {"color": color}});
    installation.release("web", spec).await
}

async fn annotate(installation: &Installation, annotations: Value) -> Result {
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    let releases = installation.api::<HelmRelease>();
    releases.patch("web", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Color and size, as they are live.
async fn live(installation: &Installation) -> Result<[String; 2]> {
    let map = installation.api::<ConfigMap>().get("web").await?;
    let data = map.data.unwrap_or_default();
    Ok(["color", "size"].map(|key| data.get(key).cloned().unwrap_or_default()))
}

/// Waits until an upgrade is held back for a reason, and gives what the status says of it. The release stays ready.
async fn held(installation: &Installation, reason: &str) -> Result<(HelmRelease, Value)> {
    let release = installation.ready_is("web", "True", &["is held back"]).await?;
    let (ready, held) = (condition(&release, "Ready"), condition(&release, "Held"));
    assert_eq!(ready["reason"], "UpgradeHeld");
    assert_eq!((&held["status"], &held["reason"]), (&json!("True"), &json!(reason)));
    assert_eq!(held["observedGeneration"].as_i64(), release.metadata.generation);
    assert!(
        ready["message"].as_str().is_some_and(|message| message
            .ends_with(held["message"].as_str().unwrap_or("no message"))
            && message.contains("web@1.0.0 is as it was deployed")),
        "{ready}"
    );
    let told = serde_json::to_value(&release)?["status"]["heldUpgrade"].clone();
    Ok((release, told))
}

/// Waits until the release is deployed as this revision and nothing is held back.
async fn deployed(installation: &Installation, revision: u32) -> Result<HelmRelease> {
    let is_so = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            let newest = history(release).into_iter().next();
            newest == Some((revision, "deployed".to_owned())) && condition(release, "Ready")["status"] == "True"
        })
    };
    let release = becomes(&installation.api(), "web", DEADLINE, is_so).await;
    let release = release.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    let release = release.ok_or("a release")?;
    assert_eq!(condition(&release, "Held"), Value::Null);
    assert_eq!(serde_json::to_value(&release)?["status"]["heldUpgrade"], Value::Null);
    Ok(release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_25_an_upgrade_waits_for_the_approval_of_exactly_that_change() -> Result {
    let mut installation = installation("approval").await?;
    let gate = json!({"approval": "Required"});
    // An install is not held back.
    release(&installation, &gate, "red").await?;
    deployed(&installation, 1).await?;

    let mark = installation.plane.audit_mark().await?;
    release(&installation, &gate, "blue").await?;
    let (object, told) = held(&installation, "AwaitingApproval").await?;
    let namespace = Some(installation.namespace.name());
    let requests = installation.plane.requests_since(mark).await?;
    let is_written = |event: &AuditEvent| event.wrote() && event.concerns("configmaps", namespace);
    assert!(!requests.iter().any(is_written), "what is kept is not written again");
    let change = told["change"].as_str().ok_or("a change")?.to_owned();
    assert_eq!(
        told,
        json!({"chartVersion": "1.0.0", "change": change, "approved": false})
    );
    let command = format!(
        "kubectl annotate --overwrite helmrelease.fairlead.dev web -n {} fairlead.dev/approve={change}",
        installation.namespace.name()
    );
    let message = condition(&object, "Held")["message"].clone();
    assert!(
        message.as_str().is_some_and(|message| message.ends_with(&command)),
        "{message}"
    );
    installation.event_is(&object, "AwaitingApproval", &[&command]).await?;
    // Whoever looks at what would change is told what approves it.
    let diff = run(&installation, &["diff", "web", "-o", "json"], "").await?.with(1)?;
    let diff: Value = serde_json::from_str(&diff)?;
    let expected = json!({"reason": "AwaitingApproval", "message": message, "change": change});
    assert_eq!(diff["releases"][0]["revision"]["next"]["held"], expected, "{diff}");

    looks_write_nothing(&installation).await?;
    what_drifts_is_as_deployed_again(&installation).await?;

    // Another operator finds it held as well, and a wrong approval opens nothing, nor does a request.
    installation.operator.stop()?;
    let scope = [
        "--namespace",
        installation.namespace.name(),
        "--log=info,fairlead=debug",
    ];
    installation.operator = Operator::start(installation.plane.kubeconfig_path(), &scope)?;
    installation.operator.ready().await?;
    let almost = &change[..change.len() - 1];
    annotate(&installation, json!({"fairlead.dev/approve": almost})).await?;
    installation.look("web", "wrong").await?;
    held(&installation, "AwaitingApproval").await?;
    assert_eq!(live(&installation).await?, ["red", "big"]);

    annotate(&installation, json!({"fairlead.dev/approve": change})).await?;
    let upgraded = deployed(&installation, 2).await?;
    assert_eq!(condition(&upgraded, "Ready")["reason"], "UpgradeSucceeded");
    assert_eq!(live(&installation).await?, ["blue", "big"]);

    // The next change needs an approval of its own; when it is taken back, there is nothing to hold.
    release(&installation, &gate, "green").await?;
    let (object, next) = held(&installation, "AwaitingApproval").await?;
    assert_ne!(next["change"], change.as_str());
    release(&installation, &gate, "blue").await?;
    let back = installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    assert_eq!((history(&back)[0].0, condition(&back, "Held")), (2, Value::Null));
    release(&installation, &gate, "green").await?;
    held(&installation, "AwaitingApproval").await?;
    let told = installation.events(&object).await?;
    let upgrades = told.iter().filter(|(reason, _)| reason == "UpgradeSucceeded").count();
    assert_eq!(upgrades, 1, "{told:?}");

    // A person who forces it passes the gate.
    annotate(
        &installation,
        json!({"fairlead.dev/requestedAt": "now", "fairlead.dev/forceAt": "now"}),
    )
    .await?;
    deployed(&installation, 3).await?;
    assert_eq!(live(&installation).await?, ["green", "big"]);
    Ok(())
}

/// However often it is looked at what is held: no object, ledger or record is written, and no Secret read.
async fn looks_write_nothing(installation: &Installation) -> Result {
    installation.look("web", "first").await?;
    let mark = installation.plane.audit_mark().await?;
    for at in ["second", "third"] {
        installation.look("web", at).await?;
    }
    let namespace = Some(installation.namespace.name());
    let mut statuses = 0;
    for event in installation.plane.requests_since(mark).await? {
        let is_about = |resource| event.concerns(resource, namespace);
        let writes = event.wrote() && (is_about("configmaps") || is_about("releaseledgers"));
        let is_told = event.wrote() && is_about("events");
        assert!(
            !writes && !is_told && !is_about("secrets"),
            "{} {}",
            event.verb,
            event.request_uri
        );
        statuses += usize::from(event.verb == "update" && is_about("helmreleases"));
    }
    assert_eq!(statuses, 2, "that it was looked at is all that is written");
    Ok(())
}

/// What somebody changes meanwhile becomes what is deployed again, and not what is wanted by now.
async fn what_drifts_is_as_deployed_again(installation: &Installation) -> Result {
    let person = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let edit = Patch::Merge(json!({"data": {"color": "pink", "size": "small"}}));
    let maps = installation.api::<ConfigMap>();
    maps.patch("web", &person, &edit).await?;
    let is_back = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.is_some_and(|data| data["color"] == "red" && data["size"] == "big")
    };
    becomes(&maps, "web", DEADLINE, is_back).await?;
    let is_told = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| condition(release, "Drifted")["reason"] == "NoDriftDetected")
    };
    becomes::<HelmRelease>(&installation.api(), "web", DEADLINE, is_told).await?;
    held(installation, "AwaitingApproval").await?;
    Ok(())
}

/// A window that opens at a minute, on that day only.
fn window(opens_at: Timestamp, duration: &str) -> Value {
    let opens_at = opens_at.to_zoned(TimeZone::UTC);
    let (day, start) = (
        opens_at.strftime("%A").to_string(),
        opens_at.strftime("%H:%M").to_string(),
    );
    json!({"days": [day], "start": start, "duration": duration, "timeZone": "Etc/UTC"})
}

/// The minute that a time is in, begun.
fn minute(time: Timestamp) -> Result<Timestamp> {
    Ok(Timestamp::from_second(
        time.as_second() - time.as_second().rem_euclid(60),
    )?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_25_an_upgrade_waits_until_a_window_of_time_opens() -> Result {
    let installation = installation("window-opens").await?;
    // A look at the repository would look at the release, too.
    let repository = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository", "metadata": {"name": "charts"},
        "spec": {"url": installation.repository.url(), "interval": "1h"}});
    installation.apply::<HelmRepository>(&repository).await?;
    let in_two_hours = minute(Timestamp::now() + 2.hours())?;
    let gate = |windows: Value| json!({ "windows": windows });
    let closed = gate(json!([window(in_two_hours, "1h")]));
    release(&installation, &closed, "red").await?;
    deployed(&installation, 1).await?;

    release(&installation, &closed, "blue").await?;
    let (object, told) = held(&installation, "WindowClosed").await?;
    let opens_at: Timestamp = told["opensAt"].as_str().ok_or("a time")?.parse()?;
    assert_eq!((opens_at, &told["approved"]), (in_two_hours, &json!(true)));
    installation
        .event_is(&object, "WindowClosed", &[&in_two_hours.to_string()])
        .await?;

    // One that opens soon is not missed: nobody does anything, and the interval is long.
    let soon = minute(Timestamp::now() + 65.seconds())?;
    let two = gate(json!([window(in_two_hours, "1h"), window(soon, "1h")]));
    release(&installation, &two, "blue").await?;
    let upgraded = deployed(&installation, 2).await?;
    let began = &upgraded.status.as_ref().ok_or("a status")?.history[0].last_deployed;
    assert!(began.0 >= soon, "{began:?} is before {soon}");
    assert_eq!(live(&installation).await?, ["blue", "big"]);

    // An approval opens no window. The window that is open now lets through what is approved.
    let both = |window: Value| json!({"approval": "Required", "windows": [window]});
    let closed = both(window(minute(Timestamp::now() + 2.hours())?, "1h"));
    release(&installation, &closed, "green").await?;
    let (_, told) = held(&installation, "AwaitingApproval").await?;
    assert!(told["opensAt"].is_string(), "{told}");
    annotate(&installation, json!({"fairlead.dev/approve": told["change"]})).await?;
    let is_approved = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| condition(release, "Held")["reason"] == "WindowClosed")
    };
    becomes::<HelmRelease>(&installation.api(), "web", DEADLINE, is_approved).await?;
    assert_eq!(live(&installation).await?, ["blue", "big"]);
    let open = both(window(minute(Timestamp::now())?, "2h"));
    release(&installation, &open, "green").await?;
    deployed(&installation, 3).await?;
    assert_eq!(live(&installation).await?, ["green", "big"]);
    Ok(())
}

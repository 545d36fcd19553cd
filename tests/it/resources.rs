//! The installation and the resource definitions, as a real API server sees them.

use fairlead::api::custom_resource_definitions;
use fairlead_controlplane::ControlPlane;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::Result;

/// Installs as the README says, from this checkout.
pub(crate) async fn install(control_plane: &ControlPlane) -> Result<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    Ok(control_plane
        .kubectl(&["apply", "--server-side", "-k", folder], None)
        .await?
        .checked()?)
}

/// The control plane with everything installed and all resources served; done once a process.
pub(crate) async fn installed() -> Result<&'static ControlPlane> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let control_plane = ControlPlane::shared().await?;
    INSTALLED.get_or_try_init(|| serve(control_plane)).await?;
    Ok(control_plane)
}

async fn serve(control_plane: &ControlPlane) -> Result {
    install(control_plane).await?;
    let definitions: Vec<String> = custom_resource_definitions()
        .into_iter()
        .filter_map(|definition| Some(format!("crd/{}", definition.metadata.name?)))
        .collect();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s"].into_iter();
    let wait: Vec<&str> = wait.chain(definitions.iter().map(String::as_str)).collect();
    control_plane.kubectl(&wait, None).await?.checked()?;
    Ok(())
}

fn object(kind: &str, namespace: &str, spec: &Value) -> String {
    let metadata = json!({"name": "checked", "namespace": namespace});
    json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}).to_string()
}

/// What the API server makes of an object without keeping it, or why it refuses it.
async fn tried(control_plane: &ControlPlane, object: &str) -> Result<std::result::Result<Value, String>> {
    let arguments = ["create", "--dry-run=server", "--output=json", "--filename=-"];
    let output = control_plane.kubectl(&arguments, Some(object)).await?;
    Ok(match output.code {
        0 => Ok(serde_json::from_str(&output.stdout)?),
        _ => Err(output.stderr),
    })
}

#[tokio::test]
async fn installing_again_changes_nothing_and_conflicts_with_nobody() -> Result {
    let control_plane = installed().await?;
    let role = [
        "get",
        "clusterrole",
        "fairlead-releases",
        "--output=jsonpath={.metadata.resourceVersion}",
    ];
    // The control plane fills in the gathered rights; until then the role changes.
    let gathered = [
        "wait",
        "--for=jsonpath={.rules}",
        "--timeout=60s",
        "clusterrole/fairlead-releases",
    ];
    control_plane.kubectl(&gathered, None).await?.checked()?;
    let before = control_plane.kubectl(&role, None).await?.checked()?;
    install(control_plane).await?;
    assert_eq!(control_plane.kubectl(&role, None).await?.checked()?, before);
    Ok(())
}

/// Asks the API server's authorizer, with a binding of its own: the usual installation has all rights.
#[tokio::test]
async fn the_controllers_own_rights_are_enough_for_its_resources_and_no_more() -> Result {
    let control_plane = installed().await?;
    let namespace = control_plane.namespace("rights").await?;
    let account = format!("--serviceaccount={}:narrow", namespace.name());
    let bind = [
        "create",
        "clusterrolebinding",
        namespace.name(),
        "--clusterrole=fairlead-controller",
        &account,
    ];
    control_plane.kubectl(&bind, None).await?.checked()?;
    let user = format!("--as=system:serviceaccount:{}:narrow", namespace.name());
    #[rustfmt::skip] // one line a case
    let cases = [
        ("patch", "helmreleases.fairlead.dev", "status", true),
        ("update", "helmreleases.fairlead.dev", "status", true),
        ("patch", "helmreleases.fairlead.dev", "", true),
        ("update", "helmreleases.fairlead.dev", "", false),
        ("delete", "helmreleases.fairlead.dev", "", false),
        ("patch", "helmrepositories.fairlead.dev", "", false),
        ("create", "releaseledgers.fairlead.dev", "", true),
        ("create", "secrets", "", true),
        ("update", "configmaps", "", false),
        ("create", "deployments.apps", "", false),
        ("impersonate", "serviceaccounts", "", false),
    ];
    for (verb, resource, subresource, expected) in cases {
        let subresource = format!("--subresource={subresource}");
        let question = [
            "auth",
            "can-i",
            verb,
            resource,
            &subresource,
            &user,
            "--namespace",
            namespace.name(),
        ];
        let answer = control_plane.kubectl(&question, None).await?;
        assert_eq!(
            answer.stdout.trim() == "yes",
            expected,
            "{verb} {resource} {subresource}: {answer:?}"
        );
    }
    control_plane
        .kubectl(&["delete", "clusterrolebinding", namespace.name()], None)
        .await?
        .checked()?;
    Ok(())
}

#[tokio::test]
async fn a_whole_release_is_accepted_and_gets_its_defaults() -> Result {
    let control_plane = installed().await?;
    let spec = json!({
        "interval": "10m",
        "chart": {"spec": {"chart": "shop", "sourceRef": {"kind": "HelmRepository", "name": "acme"}}},
        "values": {"replicaCount": 3, "nothing": null, "list": [{"a": 1.5}]},
        "install": {"strategy": {"name": "RetryOnFailure", "retryInterval": "1m"}, "remediation": {"retries": -1}},
        "ownership": {
            "rules": [{"paths": [".spec.replicas"], "onConflict": "Force", "until": "2026-12-24T00:00:00Z"}],
            "retry": {},
        },
        "plugins": [{"name": "policy", "stage": "ValidateValues", "config": {"max": 10}}],
    });
    let made = tried(control_plane, &object("HelmRelease", "default", &spec)).await??;
    let mut expected = spec;
    expected["chart"]["spec"]["version"] = json!("*");
    expected["chart"]["spec"]["reconcileStrategy"] = json!("ChartVersion");
    expected["mode"] = json!("Apply");
    expected["ownership"]["onConflict"] = json!("Fail");
    expected["ownership"]["wellKnownOwners"] = json!("Enabled");
    expected["ownership"]["retry"] = json!({"limit": 5, "interval": "10s", "then": "Fail"});
    assert_eq!(made["spec"], expected);
    assert_eq!(made["status"], json!({"observedGeneration": -1}));
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place() -> Result {
    let control_plane = installed().await?;
    let release = |change: Value| {
        let mut spec = json!({"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "shop"}});
        let fields = change.as_object().into_iter().flatten();
        fields.for_each(|(name, value)| spec[name] = value.clone());
        object("HelmRelease", "default", &spec)
    };
    let chart = json!({"spec": {"chart": "a", "sourceRef": {"kind": "HelmRepository", "name": "b"}}});
    let plugin = |spec: Value| object("WasmPlugin", "", &spec);
    #[rustfmt::skip] // one line a case
    let cases = [
        (object("HelmRelease", "default", &json!({"interval": "10m"})), "exactly one of spec.chart and spec.chartRef"),
        (release(json!({"chart": chart})), "exactly one of spec.chart and spec.chartRef"),
        (release(json!({"interval": "1d"})), "spec.interval"),
        (release(json!({"values": ["a"]})), "spec.values"),
        (release(json!({"kubeConfig": {}})), "exactly one of kubeConfig.configMapRef and kubeConfig.secretRef"),
        (release(json!({"mode": "Dry"})), "spec.mode"),
        (release(json!({"unknown": 1})), "unknown field \"spec.unknown\""),
        (release(json!({"releaseName": "a".repeat(54)})), "spec.releaseName"),
        (release(json!({"valuesFrom": [{"kind": "Secret", "name": "a", "targetPath": "a b"}]})), "spec.valuesFrom[0].targetPath"),
        (release(json!({"upgrade": {"strategy": {"name": "RemediateOnFailure", "retryInterval": "1m"}}})), "retryInterval can only be set"),
        (release(json!({"ownership": {"fieldManager": "a".repeat(129)}})), "spec.ownership.fieldManager"),
        (release(json!({"ownership": {"rules": [{"paths": [".spec"]}]}})), "spec.ownership.rules[0].onConflict"),
        (release(json!({"plugins": [{"name": "a", "stage": "ValidateValues"}, {"name": "a", "stage": "ValidateValues"}]})), "Duplicate value"),
        (plugin(json!({"source": {}})), "exactly one of source.oci, source.url and source.configMap"),
        (plugin(json!({"source": {"url": "https://example.com/p.wasm"}})), "spec.digest must be set"),
        (object("OCIRepository", "default", &json!({"url": "oci://example.com/a", "interval": "1h", "timeout": "1h"})), "spec.timeout"),
        (object("HelmRepository", "default", &json!({"url": "ftp://example.com"})), "spec.url"),
        (object("ConflictPolicy", "", &json!({"rules": []})), "spec.rules"),
    ];
    for (object, expected) in cases {
        let error = tried(control_plane, &object).await?.expect_err(&object);
        assert!(error.contains(expected), "{object}: {error}");
    }
    Ok(())
}

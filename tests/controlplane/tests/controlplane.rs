//! The fixture itself: what tests of Fairlead take for granted.

use std::error::Error;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use fairlead_controlplane::{ControlPlane, Options, Registry};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::{is_deployment_completed, is_job_completed, is_service_loadbalancer_provisioned};
use kube::runtime::wait::{Condition, await_condition};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::sync::{Mutex, MutexGuard};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const DEADLINE: Duration = Duration::from_mins(1);

async fn becomes<K>(api: &Api<K>, name: &str, condition: impl Condition<K>) -> Result
where
    K: kube::Resource + Clone + std::fmt::Debug + Send + DeserializeOwned + 'static,
{
    tokio::time::timeout(DEADLINE, await_condition(api.clone(), name, condition)).await??;
    Ok(())
}

fn pod_template(name: &str, more: &serde_json::Value) -> serde_json::Value {
    let mut spec = json!({"containers": [{"name": "main", "image": "example.com/main:1"}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"labels": {"app": name}}, "spec": spec})
}

async fn create<K>(api: &Api<K>, object: serde_json::Value) -> Result
where
    K: kube::Resource + Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    api.create(&PostParams::default(), &serde_json::from_value(object)?)
        .await?;
    Ok(())
}

#[tokio::test]
async fn workloads_become_ready() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("workloads").await?;
    let client = control_plane.client()?;
    let selector = |name: &str| json!({"matchLabels": {"app": name}});

    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    let spec = json!({"replicas": 2, "selector": selector("web"), "template": pod_template("web", &json!({}))});
    create(&deployments, json!({"metadata": {"name": "web"}, "spec": spec})).await?;

    let stateful_sets: Api<StatefulSet> = Api::namespaced(client.clone(), &namespace);
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let spec = json!({
        "replicas": 2, "serviceName": "db", "selector": selector("db"), "template": pod_template("db", &json!({})),
        "volumeClaimTemplates": [claim],
    });
    create(&stateful_sets, json!({"metadata": {"name": "db"}, "spec": spec})).await?;

    let daemon_sets: Api<DaemonSet> = Api::namespaced(client.clone(), &namespace);
    let spec = json!({"selector": selector("agent"), "template": pod_template("agent", &json!({}))});
    create(&daemon_sets, json!({"metadata": {"name": "agent"}, "spec": spec})).await?;

    let services: Api<Service> = Api::namespaced(client.clone(), &namespace);
    let spec = json!({"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]});
    create(&services, json!({"metadata": {"name": "web"}, "spec": spec})).await?;

    let jobs: Api<Job> = Api::namespaced(client, &namespace);
    let template = pod_template("once", &json!({"restartPolicy": "Never"}));
    create(
        &jobs,
        json!({"metadata": {"name": "once"}, "spec": {"template": template}}),
    )
    .await?;

    becomes(&deployments, "web", is_deployment_completed()).await?;
    becomes(&stateful_sets, "db", |set: Option<&StatefulSet>| {
        set.and_then(|set| set.status.as_ref()?.ready_replicas) == Some(2)
    })
    .await?;
    becomes(&daemon_sets, "agent", |set: Option<&DaemonSet>| {
        set.and_then(|set| set.status.as_ref())
            .is_some_and(|status| status.number_ready == 1)
    })
    .await?;
    becomes(&services, "web", is_service_loadbalancer_provisioned()).await?;
    becomes(&jobs, "once", is_job_completed()).await
}

#[tokio::test]
async fn a_pod_ends_as_its_annotation_asks() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("outcomes").await?;
    let jobs: Api<Job> = Api::namespaced(control_plane.client()?, &namespace);
    let mut template = pod_template("bad", &json!({"restartPolicy": "Never"}));
    template["metadata"]["annotations"] = json!({"test.fairlead.dev/outcome": "Failed"});
    create(
        &jobs,
        json!({"metadata": {"name": "bad"}, "spec": {"backoffLimit": 0, "template": template}}),
    )
    .await?;
    becomes(&jobs, "bad", |job: Option<&Job>| {
        job.and_then(|job| job.status.as_ref()?.conditions.as_ref())
            .is_some_and(|all| all.iter().any(|one| one.type_ == "Failed" && one.status == "True"))
    })
    .await
}

#[tokio::test]
async fn a_deleted_namespace_goes_with_all_that_is_in_it() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("terminating").await?;
    let client = control_plane.client()?;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&maps, json!({"metadata": {"name": "owner"}})).await?;
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await?;
    becomes(&namespaces, &namespace, |object: Option<&Namespace>| object.is_none()).await
}

#[tokio::test]
async fn what_a_deleted_object_owned_is_collected() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("garbage").await?;
    let maps: Api<ConfigMap> = Api::namespaced(control_plane.client()?, &namespace);
    create(&maps, json!({"metadata": {"name": "owner"}})).await?;
    let owner = maps.get("owner").await?.metadata.uid;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner});
    create(
        &maps,
        json!({"metadata": {"name": "owned", "ownerReferences": [reference]}}),
    )
    .await?;
    maps.delete("owner", &DeleteParams::default()).await?;
    becomes(&maps, "owned", |object: Option<&ConfigMap>| object.is_none()).await
}

#[tokio::test]
async fn requests_are_counted_and_attributed() -> Result {
    let control_plane = ControlPlane::shared().await?;
    if !control_plane.audits() {
        return Ok(()); // an existing cluster: its log is out of reach
    }
    let namespace = control_plane.namespace("requests").await?;
    let maps: Api<ConfigMap> = Api::namespaced(control_plane.client()?, &namespace);
    let (before, mark) = (control_plane.request_counts().await?, control_plane.audit_mark().await?);

    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"key": "value"}});
    maps.patch("one", &PatchParams::apply("tester"), &Patch::Apply(&map))
        .await?;
    maps.patch("one", &PatchParams::apply("tester").dry_run(), &Patch::Apply(&map))
        .await?;
    maps.get("one").await?;

    let counts = control_plane.request_counts().await?.since(&before);
    assert!(
        counts.of("configmaps").filter(|kind| kind.verb == "APPLY").total() >= 2,
        "{counts}"
    );
    let events = control_plane.requests_since(mark).await?;
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event.concerns("configmaps", Some(&namespace)))
        .collect();
    let ours: Vec<_> = ours.into_iter().filter(|event| event.user() == "admin").collect();
    let seen: Vec<_> = ours
        .iter()
        .map(|event| (event.verb.as_str(), event.code(), event.wrote()))
        .collect();
    assert_eq!(seen, [("patch", 201, true), ("patch", 200, false), ("get", 200, false)]);
    assert!(ours[0].request_uri.contains("fieldManager=tester"), "{ours:?}");
    Ok(())
}

#[tokio::test]
async fn a_service_account_has_its_own_rights_only() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("rights").await?;
    let client = control_plane.service_account_client(&namespace, "nobody").await?;
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    let refused = secrets.list(&kube::api::ListParams::default()).await.unwrap_err();
    let who = format!("system:serviceaccount:{namespace}:nobody");
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403 && status.message.contains(&who)),
        "{refused}"
    );

    let kubeconfig = control_plane.service_account_kubeconfig(&namespace, "nobody").await?;
    let file = format!("--kubeconfig={}", kubeconfig.display());
    let output = control_plane
        .kubectl(
            &[&file, "auth", "whoami", "-o=jsonpath={.status.userInfo.username}"],
            None,
        )
        .await?;
    assert_eq!(output.checked()?, who);
    Ok(())
}

#[tokio::test]
async fn kubectl_reads_its_input_and_says_why_it_failed() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("kubectl").await?;
    let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: from-input}}";
    let output = control_plane
        .kubectl(&["apply", "-n", &namespace, "-f", "-"], Some(map))
        .await?;
    assert_eq!(output.checked()?, "configmap/from-input created\n");
    let error = control_plane
        .kubectl(&["get", "configmap", "-n", &namespace, "absent"], None)
        .await?
        .checked()
        .unwrap_err();
    assert!(error.to_string().contains("\"absent\" not found"), "{error}");
    Ok(())
}

/// A chart as `helm create` makes it, packaged.
async fn package(control_plane: &ControlPlane, folder: &Path) -> Result<String> {
    let chart = folder.join("shop").display().to_string();
    control_plane.helm(&["create", &chart]).await?.checked()?;
    control_plane
        .helm(&["package", &chart, "-d", &folder.display().to_string()])
        .await?
        .checked()?;
    Ok(folder.join("shop-0.1.0.tgz").display().to_string())
}

#[tokio::test]
async fn helm_pushes_to_the_registry_and_installs_from_it() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("helm").await?;
    let folder = tempfile::tempdir()?;
    let chart = package(control_plane, folder.path()).await?;
    let registry = control_plane.start_registry().await?;
    control_plane
        .helm(&["push", &chart, &registry.url("charts"), "--plain-http"])
        .await?
        .checked()?;
    let pushed = registry.url("charts/shop");
    let install = [
        "install",
        "shop",
        &pushed,
        "--plain-http",
        "-n",
        &namespace,
        "--wait",
        "--timeout=60s",
    ];
    control_plane.helm(&install).await?.checked()?;

    let process = registry.process_id();
    drop(registry);
    assert!(!runs(process));
    Ok(())
}

#[tokio::test]
async fn a_registry_can_ask_who_it_is() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let folder = tempfile::tempdir()?;
    let chart = package(control_plane, folder.path()).await?;
    let registry = control_plane.start_registry_with_user("ann", "secret").await?;
    let push = ["push", &chart, &registry.url("charts"), "--plain-http"];
    let refused = control_plane.helm(&push).await?.checked().unwrap_err();
    assert!(refused.to_string().contains("basic credential not found"), "{refused}");
    let known = [&push[..], &["--username=ann", "--password=secret"]].concat();
    control_plane.helm(&known).await?.checked()?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_component_is_an_error_that_names_the_known_ones() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let error = control_plane.binary("kubelet").await.unwrap_err();
    assert!(error.to_string().contains("kube-apiserver"), "{error}");
    Ok(())
}

fn runs(process: u32) -> bool {
    // A process that ended and was not waited for is a zombie: it holds nothing any more.
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')))
}

/// Not a test of its own: others run it in a process with an environment of its own, which they may kill.
#[tokio::test]
#[ignore = "runs until it is killed"]
async fn hold_a_control_plane() -> Result {
    let control_plane = match ControlPlane::start(Options::default()).await {
        Ok(control_plane) => control_plane,
        Err(error) => {
            println!(
                "\n{}",
                serde_json::to_string(&Held {
                    error: error.to_string(),
                    ..Held::default()
                })?
            );
            return Ok(());
        }
    };
    let mut processes = control_plane.process_ids();
    let registry = if std::env::var_os("HOLD_A_REGISTRY").is_some() {
        Some(control_plane.start_registry().await?)
    } else {
        None
    };
    processes.extend(registry.iter().map(Registry::process_id));
    let held = Held {
        error: String::new(),
        processes,
        server: control_plane.config().cluster_url.to_string(),
        schedules: control_plane.runs("kube-scheduler"),
    };
    println!("\n{}", serde_json::to_string(&held)?);
    std::future::pending().await
}

struct Owner {
    process: Child,
    _turn: MutexGuard<'static, ()>,
}

#[derive(Default, serde::Deserialize, serde::Serialize)]
struct Held {
    error: String,
    processes: Vec<u32>,
    server: String,
    schedules: bool,
}

/// Starts a process that holds a control plane, with further environment variables. One at a time: each takes memory.
async fn hold(environment: &[(&str, &str)]) -> Result<(Owner, Held)> {
    static ONE: Mutex<()> = Mutex::const_new(());
    let turn = ONE.lock().await;
    let mut owner = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "hold_a_control_plane", "--ignored", "--nocapture"])
        .env_remove("FAIRLEAD_TEST_CONTEXT")
        .envs(environment.iter().copied())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(owner.stdout.take().ok_or("no output")?).lines();
    loop {
        let line = lines
            .next_line()
            .await?
            .ok_or("the owner ended before it held a control plane")?;
        if line.starts_with('{') {
            return Ok((
                Owner {
                    process: owner,
                    _turn: turn,
                },
                serde_json::from_str(&line)?,
            ));
        }
    }
}

#[tokio::test]
async fn no_process_outlives_a_killed_owner() -> Result {
    let (mut owner, Held { processes, .. }) = hold(&[("HOLD_A_REGISTRY", "1")]).await?;
    assert!(
        processes.len() >= 4 && processes.iter().all(|&process| runs(process)),
        "{processes:?}"
    );

    owner.process.kill().await?; // SIGKILL: no destructor runs
    let gone = async {
        while processes.iter().any(|&process| runs(process)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await?;
    Ok(())
}

#[tokio::test]
async fn an_existing_cluster_is_used_by_its_context() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let cache = tempfile::tempdir()?;
    let kubeconfig = control_plane.kubeconfig_path().display().to_string();
    let context = control_plane
        .kubectl(&["config", "current-context"], None)
        .await?
        .checked()?;
    let cache = cache.path().display().to_string();
    let environment = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("FAIRLEAD_TEST_CONTEXT", context.trim()),
        ("FAIRLEAD_CACHE", &cache),
    ];
    let (_owner, held) = hold(&environment).await?;
    assert_eq!((held.error.as_str(), held.processes.len()), ("", 0));
    assert_eq!(held.server, control_plane.config().cluster_url.to_string());
    Ok(())
}

#[tokio::test]
async fn given_binaries_run_in_place_of_built_ones() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let assets = tempfile::tempdir()?;
    for name in ["etcd", "kube-apiserver"] {
        std::os::unix::fs::symlink(control_plane.binary(name).await?, assets.path().join(name))?;
    }
    let assets = assets.path().display().to_string();
    let (_owner, held) = hold(&[("KUBEBUILDER_ASSETS", &assets)]).await?;
    assert_eq!(
        (held.error.as_str(), held.processes.len(), held.schedules),
        ("", 3, false)
    );
    Ok(())
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_no_failure() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let assets = tempfile::tempdir()?;
    let real = |name| control_plane.binary(name);
    std::os::unix::fs::symlink(real("kube-apiserver").await?, assets.path().join("kube-apiserver"))?;
    let once = assets.path().join("etcd");
    let script = format!(
        "#!/bin/sh\nif mkdir \"$0.failed\"; then echo 'listen tcp: bind: address already in use'; exit 1; fi\nexec '{}' \"$@\"\n",
        real("etcd").await?.display()
    );
    std::fs::write(&once, script)?;
    std::fs::set_permissions(&once, std::fs::Permissions::from_mode(0o700))?;
    let (_owner, held) = hold(&[("KUBEBUILDER_ASSETS", &assets.path().display().to_string())]).await?;
    assert_eq!((held.error.as_str(), held.processes.len()), ("", 3));
    assert!(assets.path().join("etcd.failed").exists());
    Ok(())
}

#[tokio::test]
async fn a_component_that_cannot_run_is_named_with_its_log() -> Result {
    let assets = tempfile::tempdir()?;
    for name in ["etcd", "kube-apiserver"] {
        let path = assets.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho 'no {name} today'; exit 3\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
    }
    let (_owner, held) = hold(&[("KUBEBUILDER_ASSETS", &assets.path().display().to_string())]).await?;
    assert!(
        held.error.contains("exit status 3") && held.error.contains(" today"),
        "{}",
        held.error
    );
    Ok(())
}

#[tokio::test]
async fn a_directory_with_anything_else_is_not_emptied() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("thesis"), "the only copy")?;
    let supervise = tokio::process::Command::new(control_plane.binary("supervise").await?)
        .arg(folder.path())
        .output();
    let output = supervise.await?;
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("is not empty"),
        "{output:?}"
    );
    assert!(folder.path().join("thesis").exists());
    Ok(())
}

#[tokio::test]
async fn without_go_the_error_says_what_to_do() -> Result {
    let cache = tempfile::tempdir()?;
    let cache = cache.path().display().to_string();
    let (_owner, held) = hold(&[("FAIRLEAD_CACHE", &cache), ("PATH", ""), ("KUBEBUILDER_ASSETS", "")]).await?;
    assert!(
        held.error.contains("Install Go") && held.error.contains("FAIRLEAD_TEST_CONTEXT"),
        "{}",
        held.error
    );
    Ok(())
}

//! Charts whose publishers sign them: only what somebody who is trusted has signed is released. The signatures are the real
//! cosign's, in a real registry.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fairlead::api::helm_repository::HelmRepository;
use fairlead::api::oci_repository::OCIRepository;
use fairlead_controlplane::Registry;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::chart_repository::push;
use crate::support::cosign::{Cosign, Format, Keyless, Person};
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

/// A Secret that changed is seen within this; the bound leaves room for a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// An operator, a registry with a chart, and two who could sign it.
struct Scene {
    installation: Installation,
    registry: Registry,
    ours: Cosign,
    theirs: Cosign,
    requests: AtomicUsize,
}

impl Scene {
    async fn open(prefix: &str) -> Result<Self> {
        let installation = Installation::start(prefix).await?;
        let scene = Self {
            registry: installation.plane.start_registry().await?,
            installation,
            ours: Cosign::new().await?,
            theirs: Cosign::new().await?,
            requests: AtomicUsize::new(0),
        };
        scene.publish("red").await?;
        let spec = json!({"type": "oci", "insecure": true, "url": scene.registry.url("charts")});
        let repository = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository",
            "metadata": {"name": "registry"}, "spec": spec});
        scene.installation.apply::<HelmRepository>(&repository).await?;
        scene.trust(&scene.ours).await?;
        Ok(scene)
    }

    /// Publishes another chart under the same tag.
    async fn publish(&self, color: &str) -> Result {
        let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\ndata: {{color: {color}}}\n");
        let files = [("templates/map.yaml", map.as_str())];
        push(
            self.installation.plane,
            "shop",
            "1.0.0",
            &files,
            &self.registry.url("charts"),
        )
        .await
    }

    /// Makes a key, and no other, the one that is trusted.
    async fn trust(&self, signer: &Cosign) -> Result {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
            "stringData": {"cosign.pub": signer.public_key()?, "README": "not a key"}});
        self.installation.apply::<Secret>(&secret).await?;
        Ok(())
    }

    async fn sign(&self, signer: &Cosign, format: Format) -> Result {
        signer.sign(&self.registry, "charts/shop:1.0.0", format).await
    }

    /// A release of the chart whose signature is verified like this.
    async fn release(&self, verify: Value) -> Result {
        let source = json!({"kind": "HelmRepository", "name": "registry"});
        let chart = json!({"spec": {"version": "1.0.0", "sourceRef": source, "verify": verify}});
        self.installation.release("shop", json!({"chart": chart})).await?;
        Ok(())
    }

    /// The release of the artifact.
    async fn release_artifact(&self) -> Result {
        let reference = json!({"kind": "OCIRepository", "name": "shop"});
        let spec = json!({"chart": null, "chartRef": reference});
        self.installation.release("shop", spec).await?;
        Ok(())
    }

    async fn artifact(&self, verify: Option<Value>) -> Result {
        let mut spec = json!({"interval": "1s", "insecure": true, "url": self.registry.url("charts/shop"),
            "ref": {"tag": "1.0.0"}});
        if let Some(verify) = verify {
            spec["verify"] = verify;
        }
        let artifact = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "OCIRepository",
            "metadata": {"name": "shop"}, "spec": spec});
        self.installation.apply::<OCIRepository>(&artifact).await?;
        Ok(())
    }

    /// Waits until the artifact's condition is as said, and its message has these texts.
    async fn artifact_is(&self, kind: &str, status: &str, texts: &[&str]) -> Result<Value> {
        let is_told = |artifact: Option<&OCIRepository>| {
            let artifact = json!(artifact);
            let mut conditions = artifact["status"]["conditions"].as_array().into_iter().flatten();
            conditions.any(|condition| {
                let message = condition["message"].as_str().unwrap_or_default();
                condition["type"] == kind
                    && condition["status"] == status
                    && texts.iter().all(|text| message.contains(text))
            })
        };
        let artifact = becomes(&self.installation.api::<OCIRepository>(), "shop", DEADLINE, is_told).await?;
        Ok(json!(artifact))
    }

    /// What was released, if anything was.
    async fn color(&self) -> Result<Value> {
        let map = self.installation.api::<ConfigMap>().get_opt("shop").await?;
        Ok(json!(map.and_then(|map| map.data))["color"].clone())
    }

    /// Waits until this was released.
    async fn shows(&self, color: &str) -> Result {
        let is_shown = |map: Option<&ConfigMap>| json!(map)["data"]["color"] == color;
        becomes(&self.installation.api(), "shop", DEADLINE, is_shown).await?;
        Ok(())
    }

    /// Asks for a look now.
    async fn request(&self) -> Result {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.installation.request("shop", &number.to_string()).await
    }

    /// Asks for a look now, and waits until `Ready` is as said.
    async fn ready_is(&self, status: &str, texts: &[&str]) -> Result {
        self.request().await?;
        self.installation.ready_is("shop", status, texts).await?;
        Ok(())
    }
}

fn by_keys() -> Value {
    json!({"provider": "cosign", "secretRef": {"name": "keys"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_is_released_only_if_somebody_who_is_trusted_has_signed_it() -> Result {
    let scene = Scene::open("verified").await?;
    scene.release(by_keys()).await?;
    let unsigned = ["charts/shop@sha256:", "is not signed", "sign it"];
    let release = scene.installation.ready_is("shop", "False", &unsigned).await?;
    assert_eq!(condition(&release, "Ready")["reason"], "VerificationError");
    scene
        .installation
        .event_is(&release, "VerificationError", &unsigned)
        .await?;

    scene.sign(&scene.theirs, Format::Payload).await?;
    let keys = format!(
        "cosign with cosign.pub of Secret {}/keys",
        scene.installation.namespace.name()
    );
    let stranger = ["signed by nobody who is trusted", &keys, "trusted keys"];
    scene.ready_is("False", &stranger).await?;
    scene.sign(&scene.theirs, Format::Bundle).await?;
    scene
        .ready_is(
            "False",
            &[&stranger[..], &["bundle sha256:", "payload sha256:"]].concat(),
        )
        .await?;
    assert_eq!(scene.color().await?, Value::Null, "nothing is applied");

    // One signature of many is enough.
    scene.sign(&scene.ours, Format::Payload).await?;
    scene.ready_is("True", &[]).await?;
    assert_eq!(scene.color().await?, "red");

    // What was signed is the digest, not the tag.
    scene.publish("blue").await?;
    scene.ready_is("False", &["is not signed"]).await?;
    assert_eq!(scene.color().await?, "red", "what was released stays");
    scene.sign(&scene.theirs, Format::Bundle).await?;
    scene.ready_is("False", &stranger).await?;
    scene.sign(&scene.ours, Format::Bundle).await?;
    scene.ready_is("True", &[]).await?;
    assert_eq!(scene.color().await?, "blue");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_change_are_used_at_once_and_verdicts_are_kept() -> Result {
    let scene = Scene::open("keys").await?;
    scene.sign(&scene.ours, Format::Bundle).await?;
    scene.release(by_keys()).await?;
    scene.installation.ready_is("shop", "True", &[]).await?;

    // Nobody asks for a look: the Secret is watched.
    let started = std::time::Instant::now();
    scene.trust(&scene.theirs).await?;
    scene
        .installation
        .ready_is("shop", "False", &["signed by nobody who is trusted"])
        .await?;
    scene.trust(&scene.ours).await?;
    scene.installation.ready_is("shop", "True", &[]).await?;
    let deletion = DeleteParams::default();
    scene.installation.api::<Secret>().delete("keys", &deletion).await?;
    let missing = ["spec.chart.spec.verify", "/keys", "does not exist"];
    scene.installation.ready_is("shop", "False", &missing).await?;
    scene.trust(&scene.ours).await?;
    scene.installation.ready_is("shop", "True", &[]).await?;
    let took = started.elapsed();
    assert!(took < 4 * SOON, "{took:?}");

    // Who has signed this digest is known: it is not asked for again, not even where it could no longer be found out.
    scene.ours.clean(&scene.registry, "charts/shop:1.0.0").await?;
    scene.ready_is("True", &[]).await?;
    let trust = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
        "stringData": {"cosign.pub": scene.ours.public_key()?, "second.pub": scene.theirs.public_key()?}});
    scene.installation.apply::<Secret>(&trust).await?;
    scene.installation.ready_is("shop", "False", &["is not signed"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_says_whether_it_is_verified_and_what_was_verified_stays_in_use() -> Result {
    let scene = Scene::open("artifact").await?;
    scene.artifact(Some(by_keys())).await?;
    let artifact = scene.artifact_is("SourceVerified", "False", &["is not signed"]).await?;
    assert_eq!(artifact["status"]["artifact"], Value::Null, "{artifact}");
    scene.artifact_is("Ready", "False", &["is not signed"]).await?;
    scene.release_artifact().await?;
    scene.installation.ready_is("shop", "False", &["is not signed"]).await?;
    assert_eq!(scene.color().await?, Value::Null);

    // It is looked at again by itself.
    scene.sign(&scene.ours, Format::Payload).await?;
    scene
        .artifact_is(
            "SourceVerified",
            "True",
            &["verified signature of revision 1.0.0@sha256:"],
        )
        .await?;
    scene.installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(scene.color().await?, "red");

    scene.publish("blue").await?;
    scene.artifact_is("SourceVerified", "False", &["is not signed"]).await?;
    scene.ready_is("True", &[]).await?;
    assert_eq!(scene.color().await?, "red", "what was verified stays in use");

    scene.sign(&scene.ours, Format::Bundle).await?;
    scene.artifact_is("SourceVerified", "True", &["verified"]).await?;
    scene.shows("blue").await?;

    // Who is no longer trusted was not trusted before either, as far as what is applied from now on is concerned.
    scene.trust(&scene.theirs).await?;
    scene
        .artifact_is("SourceVerified", "False", &["signed by nobody who is trusted"])
        .await?;
    scene
        .installation
        .ready_is("shop", "False", &["signed by nobody who is trusted"])
        .await?;
    scene.trust(&scene.ours).await?;
    scene.artifact_is("SourceVerified", "True", &["verified"]).await?;
    scene.installation.ready_is("shop", "True", &[]).await?;

    scene.artifact(None).await?;
    let is_silent = |artifact: Option<&OCIRepository>| !json!(artifact).to_string().contains("SourceVerified");
    becomes(&scene.installation.api(), "shop", DEADLINE, is_silent).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_that_cannot_be_made_is_refused_by_name() -> Result {
    let scene = Scene::open("unverifiable").await?;
    let secret =
        |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": data});
    scene.sign(&scene.ours, Format::Bundle).await?;
    scene
        .release(json!({"provider": "cosign", "secretRef": {"name": "absent"}}))
        .await?;
    scene
        .installation
        .ready_is(
            "shop",
            "False",
            &["spec.chart.spec.verify", "/absent: it does not exist"],
        )
        .await?;

    let api = scene.installation.api::<Secret>();
    api.delete("keys", &DeleteParams::default()).await?;
    scene
        .installation
        .apply::<Secret>(&secret(json!({"key": "hunter2"})))
        .await?;
    scene.release(by_keys()).await?;
    scene
        .installation
        .ready_is("shop", "False", &["/keys: it has no public key", ".pub"])
        .await?;
    scene
        .installation
        .apply::<Secret>(&secret(json!({"a.pub": "hunter2"})))
        .await?;
    let release = scene
        .installation
        .ready_is("shop", "False", &["/keys: a.pub is not a public key"])
        .await?;
    assert!(!json!(release).to_string().contains("hunter2"));

    // What cannot be done, or would do nothing, is not passed over.
    scene
        .release(json!({"provider": "notation", "secretRef": {"name": "keys"}}))
        .await?;
    scene
        .installation
        .ready_is(
            "shop",
            "False",
            &["spec.chart.spec.verify", "notation is not supported"],
        )
        .await?;
    let both = json!({"secretRef": {"name": "keys"}, "matchOIDCIdentity": [{"issuer": "a", "subject": "b"}]});
    scene.release(both).await?;
    scene
        .installation
        .ready_is(
            "shop",
            "False",
            &["spec.chart.spec.verify", "remove the one or the other"],
        )
        .await?;

    // A chart that comes over HTTP has no signature of this kind.
    scene.trust(&scene.ours).await?;
    let source = json!({"kind": "HelmRepository", "name": "charts"});
    let chart = json!({"spec": {"version": "1.0.0", "sourceRef": source, "verify": by_keys()}});
    scene.installation.release("shop", json!({"chart": chart})).await?;
    scene
        .installation
        .ready_is("shop", "False", &["HelmRepository charts is not of the type oci"])
        .await?;
    assert_eq!(scene.color().await?, Value::Null);
    Ok(())
}

const DEVELOPER: Person = Person {
    identity: "dev@example.com",
    issuer: "https://accounts.example.com",
};
const WORKFLOW: Person = Person {
    identity: "https://github.com/example/shop/.github/workflows/release.yaml@refs/tags/1.0.0",
    issuer: "https://token.actions.githubusercontent.com",
};
const STRANGER: Person = Person {
    identity: "dev@example.org",
    issuer: "https://accounts.example.com",
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_that_is_signed_without_a_key_is_released_for_the_identities_that_are_accepted() -> Result {
    let scene = Scene::open("keyless").await?;
    let mut instance = Keyless::start().await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sigstore"},
        "stringData": {"trusted_root.json": instance.trusted_root.to_string()}});
    scene.installation.apply::<Secret>(&secret).await?;
    let verify = |identities: Value| json!({"provider": "cosign", "matchOIDCIdentity": identities, "trustedRootSecretRef": {"name": "sigstore"}});
    scene.release(verify(json!([]))).await?;
    scene
        .installation
        .ready_is("shop", "False", &["matchOIDCIdentity has no entry"])
        .await?;
    let identities = json!([
        {"issuer": "^https://accounts[.]example[.]com$", "subject": "@example[.]com$"},
        {"issuer": "^https://token[.]actions[.]githubusercontent[.]com$", "subject": "^https://github[.]com/example/shop/"},
    ]);
    scene.release(verify(identities)).await?;
    scene.installation.ready_is("shop", "False", &["is not signed"]).await?;

    let mut sign = async |person, format, damage| {
        instance
            .sign(&scene.registry, "charts/shop:1.0.0", person, format, damage)
            .await
    };
    // None is accepted, each of another chart and for a reason of its own.
    scene.sign(&scene.ours, Format::Bundle).await?;
    scene.ready_is("False", &["made with a key"]).await?;
    for (format, damage, reason) in [
        (Format::Bundle, "unlogged", "must have an inclusion proof"),
        (Format::Bundle, "forged log", "invalid inclusion promise"),
        (
            Format::Bundle,
            "unlogged certificate",
            "invalid signed certificate timestamp",
        ),
        (Format::Bundle, "early", "certificate chain"),
        (Format::Bundle, "other artifact", "does not match any subject"),
        (Format::Payload, "unlogged", "no transparency log tells of it"),
        (Format::Payload, "other artifact", "it signs another artifact"),
    ] {
        scene.publish(&format!("{damage} {}", format as u8)).await?;
        sign(DEVELOPER, format, damage).await?;
        scene
            .ready_is("False", &["signed by nobody who is trusted", reason])
            .await?;
    }
    scene.publish("green").await?;
    sign(STRANGER, Format::Bundle, "").await?;
    let stranger = r#"by "dev@example.org" (of the issuer "https://accounts.example.com")"#;
    scene.ready_is("False", &[stranger]).await?;
    sign(STRANGER, Format::Payload, "").await?;
    scene.ready_is("False", &["payload sha256:", stranger]).await?;
    assert_eq!(scene.color().await?, Value::Null, "nothing is applied");

    sign(DEVELOPER, Format::Bundle, "").await?;
    scene.ready_is("True", &[]).await?;
    assert_eq!(scene.color().await?, "green");
    scene.publish("yellow").await?;
    sign(WORKFLOW, Format::Payload, "").await?;
    scene.request().await?;
    scene.shows("yellow").await?;

    // Another instance vouches for nobody here.
    let other = Keyless::start().await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sigstore"},
        "stringData": {"trusted_root.json": other.trusted_root.to_string()}});
    scene.installation.apply::<Secret>(&secret).await?;
    scene
        .installation
        .ready_is("shop", "False", &["signed by nobody who is trusted"])
        .await?;
    let broken = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sigstore"},
        "stringData": {"trusted_root.json": "{}"}});
    scene.installation.apply::<Secret>(&broken).await?;
    scene
        .installation
        .ready_is("shop", "False", &["/sigstore: the trusted root cannot be used"])
        .await?;
    Ok(())
}

//! What a Secret holds is shown nowhere, whoever contests it and whatever is wrong with it.

use fairlead::api::HelmRelease;
use fairlead::api::release_ledger::ReleaseLedger;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::{contested, event};
use crate::support::Result;
use crate::support::installation::Installation;

const SECRET: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | default "correct-horse" | quote }}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_value_of_a_secret_is_shown_nowhere() -> Result {
    let installation = Installation::start("secret").await?;
    let files = [("templates/secret.yaml", SECRET)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({})).await?;
    installation.ready_is("shop", "True", &[]).await?;
    let taken = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "data": {"password": "YmF0dGVyeS1zdGFwbGU="}});
    let parameters = PatchParams::apply("rival").force();
    let secrets: Api<Secret> = installation.api();
    secrets.patch("shop", &parameters, &Patch::Apply(taken)).await?;
    let field = contested(&installation, "Failed").await?;
    assert_eq!(field["path"], ".data.password");
    assert!(
        field["theirs"]
            .as_str()
            .is_some_and(|shown| shown.starts_with("<redacted ")),
        "{field}"
    );
    let broken = SECRET.replace("stringData", "data");
    installation
        .repository
        .add("shop", "1.1.0", &[("templates/secret.yaml", &broken)])
        .await?;
    installation.request("shop", "now").await?;
    let release = installation.ready_is("shop", "False", &["Secret", "data"]).await?;
    event(&installation, &release, "ConflictFailed").await?;

    let ledger = installation.api::<ReleaseLedger>().get("shop").await;
    let ledger = ledger.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    let seen = [
        serde_json::to_string(&installation.api::<HelmRelease>().get("shop").await?)?,
        serde_json::to_string(&ledger)?,
        format!("{:?}", installation.events(&release).await?),
        installation.operator.log(),
        format!("{:?}", installation.operator.metrics().await?),
    ];
    // As they are, and in base64.
    for secret in [
        "correct-horse",
        "battery-staple",
        "Y29ycmVjdC1ob3JzZQ",
        "YmF0dGVyeS1zdGFwbGU",
    ] {
        for text in &seen {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    Ok(())
}

//! The acts of the demo, in order.

use std::path::PathBuf;

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::error::DemoError;
use crate::narrator::Narrator;
use crate::observed::{self, Release};
use crate::repository::{self, RealChart, Repository};
use crate::shell::Shell;

const REPLICAS: &str = ".spec.replicas";
const IMAGE: &str = ".spec.template.spec.containers[name=\"shop\"].image";
/// Shows the contested fields, as the API server has them.
const CONTESTED: &str = "kubectl get helmrelease shop -o go-template-file=examples/demo/contested.gotemplate";
const READY: &str = "kubectl wait helmrelease/shop --for=condition=Ready --timeout=90s";
const ROLLED_OUT: &str = "kubectl rollout status deployment/shop --timeout=90s | tail -n 1";
const CONFLICTS: &str = "fairlead_ssa_conflicts";

/// Everything that the acts need.
pub(crate) struct Story {
    pub(crate) narrator: Narrator,
    pub(crate) shell: Shell,
    pub(crate) client: Client,
    /// Where packaged charts go.
    pub(crate) folder: PathBuf,
}

impl Story {
    /// What must be there before the operator starts.
    pub(crate) async fn prepare_cluster(&mut self) -> Result<(), DemoError> {
        self.run("kubectl get nodes").await?;
        self.narrator.act("Fairlead");
        self.run("kubectl apply --server-side -k crds").await?;
        self.run("kubectl wait crd --all --for=condition=Established --timeout=30s > /dev/null")
            .await
    }

    /// From the operator's start to the end, or to Ctrl-C.
    pub(crate) async fn tell(&mut self, operator: &str, once: bool, stop: &CancellationToken) -> Result<(), DemoError> {
        self.narrator.say(&format!(
            "The operator runs in this process; its metrics are at {operator}/metrics."
        ));
        let (repository, real) = self.publish().await?;
        self.install(&repository).await?;
        if let Some(chart) = real {
            self.install_real(chart).await?;
        }
        self.night(operator).await?;
        self.decision(operator).await?;
        self.next_version().await?;
        self.narrator.act("That was all");
        self.narrator.times();
        if !once {
            self.look_around(operator);
            stop.cancelled().await;
        }
        Ok(())
    }

    async fn publish(&mut self) -> Result<(Repository, Option<&'static str>), DemoError> {
        self.narrator.act("A chart repository");
        let folder = self.folder.display();
        let package = format!("helm package examples/demo/chart/shop --destination {folder}");
        self.run(&package).await?;
        self.run(&format!("{package} --version 1.5.0 --app-version 1.5.0"))
            .await?;
        let real = repository::copy_real_chart(&self.folder).await?;
        if let Some(RealChart { from, name: _ }) = &real {
            self.narrator.command(&format!("cp {} {folder}", from.display()));
        }
        self.run(&format!("helm repo index {folder}")).await?;
        let repository = Repository::serve(self.folder.clone()).await?;
        self.narrator
            .say(&format!("A web server serves that folder at {}.", repository.url()));
        Ok((repository, real.map(|chart| chart.name)))
    }

    async fn install(&mut self, repository: &Repository) -> Result<(), DemoError> {
        self.narrator.act("A release");
        let source = format!(
            "kubectl apply -f - <<EOF\n\
             apiVersion: fairlead.dev/v1alpha1\n\
             kind: HelmRepository\n\
             metadata: {{name: charts}}\n\
             spec: {{url: \"{}\"}}\n\
             EOF",
            repository.url()
        );
        self.run(&source).await?;
        self.run("cat examples/demo/shop.yaml").await?;
        self.run("kubectl apply -f examples/demo/shop.yaml").await?;
        self.run(READY).await?;
        self.run("kubectl get helmrelease,deployment,pod").await?;
        self.stands("True InstallSucceeded", &[], "3 of registry.example.com/shop:1.4.2")
            .await
    }

    async fn install_real(&mut self, chart: &str) -> Result<(), DemoError> {
        self.narrator.act("A chart that others wrote");
        let release = format!(
            "kubectl apply -f - <<EOF\n\
             apiVersion: fairlead.dev/v1alpha1\n\
             kind: HelmRelease\n\
             metadata: {{name: {chart}}}\n\
             spec:\n  \
               interval: 10m\n  \
               chart: {{spec: {{chart: {chart}, sourceRef: {{kind: HelmRepository, name: charts}}}}}}\n\
             EOF"
        );
        self.run(&release).await?;
        self.run(&format!(
            "kubectl wait helmrelease/{chart} --for=condition=Ready --timeout=90s"
        ))
        .await?;
        self.run(&format!("kubectl get helmrelease/{chart} deployment/{chart}"))
            .await?;
        let ready = Release::read(&self.client, chart).await?.condition("Ready");
        self.narrator.expect(
            "Ready is True InstallSucceeded",
            ready.as_str(),
            "True InstallSucceeded",
        )
    }

    async fn night(&mut self, operator: &str) -> Result<(), DemoError> {
        self.narrator.act("The night");
        self.narrator.say(
            "Traffic is high. Somebody on call scales up, and tries an image that they built themselves.\n\
             By default Fairlead neither takes their fields back nor looks away: it stops and says what is contested.",
        );
        self.run("kubectl scale deployment shop --replicas=5").await?;
        self.run("kubectl set image deployment/shop shop=registry.example.com/shop:hotfix")
            .await?;
        self.run("kubectl wait helmrelease/shop --for=jsonpath='{.status.ownership.conflicts.total}'=2 --timeout=90s")
            .await?;
        self.run("kubectl get helmrelease shop --no-headers").await?;
        self.run(CONTESTED).await?;
        let contested = [
            contested(REPLICAS, "3", "5", "kubectl", "Failed by onConflict"),
            image("kubectl-set", "Failed by onConflict"),
        ];
        self.stands(
            "False ConflictFailed",
            &contested,
            "5 of registry.example.com/shop:hotfix",
        )
        .await?;
        self.counts(operator, &[("_total", "Failed", 2), ("_active", "Failed", 2)])
            .await
    }

    async fn decision(&mut self, operator: &str) -> Result<(), DemoError> {
        self.narrator.act("The decision");
        self.narrator
            .say("The next morning: whoever is on call may scale, but images come from Git.");
        self.run("cat examples/demo/rules.yaml").await?;
        self.run("kubectl patch helmrelease shop --type=merge --patch-file=examples/demo/rules.yaml")
            .await?;
        self.run(READY).await?;
        self.run(ROLLED_OUT).await?;
        self.run("kubectl get helmrelease,deployment").await?;
        self.run(CONTESTED).await?;
        let contested = [
            contested(REPLICAS, "3", "5", "kubectl", "Yielded by rules/on-call-may-scale"),
            image("kubectl-set", "Forced by rules/images-come-from-git"),
        ];
        self.stands(
            "True InstallSucceeded",
            &contested,
            "5 of registry.example.com/shop:1.4.2",
        )
        .await?;
        let counts = [
            ("_total", "Yielded", 1),
            ("_total", "Forced", 1),
            ("_active", "Yielded", 1),
        ];
        self.counts(operator, &counts).await
    }

    async fn next_version(&mut self) -> Result<(), DemoError> {
        self.narrator.act("The next version");
        self.narrator
            .say("A yielded field stays yielded through upgrades, until its owner lets go of it.");
        self.run(r#"kubectl patch helmrelease shop --type=merge -p '{"spec":{"chart":{"spec":{"version":"1.5.x"}}}}'"#)
            .await?;
        self.run(READY).await?;
        self.run("kubectl get helmrelease shop").await?;
        self.run("kubectl get deployment shop -o wide").await?;
        let contested = [contested(
            REPLICAS,
            "3",
            "5",
            "kubectl",
            "Yielded by rules/on-call-may-scale",
        )];
        self.stands(
            "True UpgradeSucceeded",
            &contested,
            "5 of registry.example.com/shop:1.5.0",
        )
        .await
    }

    /// What people can try while everything is up.
    fn look_around(&self, operator: &str) {
        self.narrator
            .say("Everything stays up until Ctrl-C. To look around, in another terminal:");
        self.narrator
            .command(&format!("export KUBECONFIG={}", self.shell.kubeconfig().display()));
        self.narrator
            .command(&format!("export PATH={}:$PATH", self.shell.tools().display()));
        self.narrator.command("kubectl get fairlead,all");
        self.narrator.command("kubectl get helmrelease shop -o yaml");
        self.narrator
            .command("kubectl get deployment shop -o yaml --show-managed-fields");
        self.narrator
            .command("kubectl get events --field-selector involvedObject.kind=HelmRelease");
        self.narrator
            .command("kubectl scale deployment shop --replicas=2; kubectl get helmrelease --watch");
        self.narrator.command(&format!("curl -s {operator}/metrics"));
        self.narrator.say("");
    }

    async fn run(&self, line: &str) -> Result<(), DemoError> {
        self.shell.run(&self.narrator, line).await
    }

    /// Reads back how the release and its Deployment stand.
    async fn stands(&self, ready: &str, contested: &[String], deployment: &str) -> Result<(), DemoError> {
        let release = Release::read(&self.client, "shop").await?;
        self.narrator
            .expect(&format!("Ready is {ready}"), release.condition("Ready").as_str(), ready)?;
        let count = contested.len();
        self.narrator.expect(
            &format!("{count} contested fields in the status, as expected"),
            release.contested().as_slice(),
            contested,
        )?;
        let live = observed::deployment(&self.client, "shop").await?;
        self.narrator
            .expect(&format!("the Deployment is {deployment}"), live.as_str(), deployment)
    }

    /// Shows the metrics about conflicts, and adds up samples by the end of their name and their action.
    async fn counts(&self, operator: &str, expected: &[(&str, &str, u32)]) -> Result<(), DemoError> {
        let url = format!("{operator}/metrics");
        self.narrator.command(&format!("curl -s {url} | grep ^{CONFLICTS}"));
        let samples = observed::metrics(&url, CONFLICTS).await?;
        self.narrator.output(&samples.join("\n"));
        for (suffix, action, expected) in expected {
            let found: f64 = samples
                .iter()
                .filter_map(|sample| value_of(sample, suffix, action))
                .sum();
            let what = format!("{CONFLICTS}{suffix} of action {action}: {expected}");
            self.narrator.expect(&what, found, f64::from(*expected))?;
        }
        Ok(())
    }
}

/// The value of a sample if it is of this metric and action.
fn value_of(sample: &str, suffix: &str, action: &str) -> Option<f64> {
    let (name, value) = sample.rsplit_once(' ')?;
    let labels = name.strip_prefix(CONFLICTS)?.strip_prefix(suffix)?.strip_prefix('{')?;
    labels
        .contains(&format!("action=\"{action}\""))
        .then(|| value.parse().ok())?
}

/// A contested field of the Deployment as `Release::contested` has it.
fn contested(path: &str, ours: &str, theirs: &str, manager: &str, decision: &str) -> String {
    format!("apps/v1 Deployment default/shop {path}: {ours} or {theirs} of {manager}, Real, {decision}")
}

fn image(manager: &str, decision: &str) -> String {
    let image = |tag: &str| format!("\"registry.example.com/shop:{tag}\"");
    contested(IMAGE, &image("1.4.2"), &image("hotfix"), manager, decision)
}

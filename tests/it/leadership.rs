//! Two operators as processes, and one lease: one works and the other stands by, and whatever happens, nothing is written by two.

use std::time::{Duration, Instant};

use fairlead_controlplane::{AuditEvent, AuditMark};
use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::resources::installed;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::operator::Operator;
use crate::support::storm::Storm;
use crate::support::wait::becomes;
use crate::support::{Result, http};

/// Twice the defaults: a machine on which all tests run may not answer for some seconds.
const LEASE_DURATION: Duration = Duration::from_secs(30);
const RENEW_DEADLINE: Duration = Duration::from_secs(20);
/// A leader's longest rest between two renewals.
const LONGEST_REST: Duration = Duration::from_millis(2_400);
/// How much longer than it should something may take on such a machine.
const SLACK: Duration = Duration::from_secs(10);
/// Releases that keep an operator busy.
const RELEASES: usize = 12;

const CHART: &str = "
{{- range until 4 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ . }}}
{{- end }}
";

/// A namespace with an operator that leads, as the account `one`; another one comes as `two`.
struct Stage {
    installation: Installation,
    lease: String,
    mark: AuditMark,
}

impl Stage {
    /// The first operator leads. With a storm it reaches the API server through that alone.
    async fn open(through: Option<&mut Option<Storm>>) -> Result<Self> {
        let plane = installed().await?;
        let namespace = plane.namespace("leader").await?;
        let mark = plane.audit_mark().await?;
        let name = namespace.name().to_owned();
        let client = plane.client()?;
        for account in ["one", "two"] {
            let binding = format!("{name}-{account}");
            let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": name});
            let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": binding}, "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}});
            let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
            let name = binding["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            bindings
                .patch(&name, &PatchParams::apply("test"), &Patch::Apply(binding))
                .await?;
        }
        let kubeconfig = match through {
            None => plane.service_account_kubeconfig(&name, "one").await?,
            Some(storm) => {
                let storm = storm.insert(Storm::through(plane.service_account_client(&name, "one").await?).await?);
                storm.kubeconfig()
            }
        };
        let flags = election(&name);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let installation = Installation::with_flags(plane, namespace, &kubeconfig, &flags).await?;
        let files = [("templates/all.yaml", CHART)];
        installation.repository.add("parts", "1.0.0", &files).await?;
        let stage = Self {
            installation,
            lease: format!("fairlead-controller-{name}"),
            mark,
        };
        stage.changes_hands("").await?;
        Ok(stage)
    }

    /// Another operator, which is ready.
    async fn another(&self) -> Result<Operator> {
        let name = self.installation.namespace.name();
        let plane = self.installation.plane;
        let kubeconfig = plane.service_account_kubeconfig(name, "two").await?;
        let mut flags = election(name);
        flags.extend(["--log=info,fairlead=debug".to_owned(), format!("--namespace={name}")]);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut operator = Operator::start(&kubeconfig, &flags)?;
        operator.ready().await?;
        Ok(operator)
    }

    /// Waits until somebody other than this one holds the lease, and says who.
    async fn changes_hands(&self, before: &str) -> Result<String> {
        let changed = |lease: Option<&Lease>| lease.and_then(holder).is_some_and(|holder| holder != before);
        let lease = becomes(&self.installation.api::<Lease>(), &self.lease, DEADLINE, changed).await?;
        lease
            .as_ref()
            .and_then(holder)
            .ok_or_else(|| "a lease with a holder".into())
    }

    async fn lease(&self) -> Result<Lease> {
        Ok(self.installation.api::<Lease>().get(&self.lease).await?)
    }

    /// Makes so many releases, all at once.
    async fn work(&self) -> Result {
        let releasing = (0..RELEASES).map(|index| async move {
            let spec = json!({"chart": {"spec": {"chart": "parts"}}});
            self.installation.release(&format!("parts-{index}"), spec).await
        });
        for released in futures::future::join_all(releasing).await {
            released?;
        }
        Ok(())
    }

    /// Waits until so many objects of releases are there.
    async fn has_begun(&self) -> Result {
        let objects = kube::runtime::watcher::Config::default().labels("fairlead.dev/name");
        let maps = kube::runtime::watcher(self.installation.api::<ConfigMap>(), objects);
        let mut maps = std::pin::pin!(kube::runtime::WatchStreamExt::applied_objects(maps));
        match tokio::time::timeout(DEADLINE, maps.next()).await? {
            Some(found) => found.map(drop).map_err(Into::into),
            None => Err("the watch ended".into()),
        }
    }

    /// Waits until all releases are ready, each of them with one revision.
    async fn is_done(&self) -> Result {
        for index in 0..RELEASES {
            let name = format!("parts-{index}");
            let release = self.installation.ready_is(&name, "True", &[]).await?;
            let history = crate::support::installation::history(&release);
            assert_eq!(history, [(1, "deployed".to_owned())], "{name}");
        }
        let maps = kube::api::ListParams::default().labels("fairlead.dev/name");
        let maps = self.installation.api::<ConfigMap>().list(&maps).await?;
        assert_eq!(maps.items.len(), RELEASES * 4);
        Ok(())
    }

    /// What each operator wrote, in the order of the audit log. Events only tell what was.
    async fn writes(&self) -> Result<Vec<(Account, AuditEvent)>> {
        let requests = self.installation.plane.requests_since(self.mark).await?;
        let name = self.installation.namespace.name();
        let account = |event: &AuditEvent| match event.user().strip_prefix("system:serviceaccount:") {
            Some(user) if user == format!("{name}:one") => Some(Account::One),
            Some(user) if user == format!("{name}:two") => Some(Account::Two),
            _ => None,
        };
        Ok(requests
            .into_iter()
            .filter(|event| event.wrote() && !event.concerns("events", None))
            .filter_map(|event| Some((account(&event)?, event)))
            .collect())
    }

    /// The first operator wrote, then the second one did, and neither wrote while the other one did. Gives how often each did.
    async fn writes_do_not_mix(&self) -> Result<(usize, usize)> {
        let writes = self.writes().await?;
        let of_work = writes.iter().filter(|(_, event)| !event.concerns("leases", None));
        let order: Vec<Account> = of_work.map(|(account, _)| *account).collect();
        let first = order.iter().take_while(|account| **account == Account::One).count();
        assert!(
            order[first..].iter().all(|account| *account == Account::Two),
            "{order:?}"
        );
        // Nor before it had the lease.
        let mut of_two = writes.iter().filter(|(account, _)| *account == Account::Two);
        assert!(of_two.next().is_some_and(|(_, event)| event.concerns("leases", None)));
        let taken = writes.iter().position(|(account, _)| *account == Account::Two);
        let late = writes.iter().skip(taken.unwrap_or_default());
        let late: Vec<&str> = late
            .filter(|(account, _)| *account == Account::One)
            .map(|(_, event)| event.request_uri.as_str())
            .collect();
        assert!(late.is_empty(), "{late:?}");
        Ok((first, order.len() - first))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    One,
    Two,
}

/// The flags of an operator that takes part in the election in a namespace.
fn election(namespace: &str) -> Vec<String> {
    vec![
        "--enable-leader-election".to_owned(),
        format!("--leader-election-lease-duration={}s", LEASE_DURATION.as_secs()),
        format!("--leader-election-renew-deadline={}s", RENEW_DEADLINE.as_secs()),
        format!("--leader-election-namespace={namespace}"),
    ]
}

/// Who holds a lease; nobody when it was given back.
fn holder(lease: &Lease) -> Option<String> {
    let holder = lease.spec.as_ref()?.holder_identity.clone()?;
    Some(holder).filter(|holder| !holder.is_empty())
}

fn transitions(lease: &Lease) -> Option<i32> {
    lease.spec.as_ref()?.lease_transitions
}

async fn leads(operator: &Operator) -> Result<Option<f64>> {
    Ok(operator.metrics().await?.sum("fairlead_leader", &[]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_when_it_is_killed_the_other_takes_over() -> Result {
    let mut stage = Stage::open(None).await?;
    let two = stage.another().await?;
    let one = holder(&stage.lease().await?).ok_or("a holder")?;
    assert_eq!(leads(&stage.installation.operator).await?, Some(1.0));
    assert_eq!(
        leads(&two).await?,
        Some(0.0),
        "a stand-by is ready, and says that it does not lead"
    );
    assert_eq!(http::get(&two.metrics_url()).await?.0, 200);
    stage.work().await?;
    stage.is_done().await?;
    let writes = stage.writes().await?;
    let by_two = writes.iter().filter(|(account, _)| *account == Account::Two).count();
    assert_eq!(
        by_two,
        0,
        "the first operator logged:\n{}",
        stage.installation.operator.log()
    );

    stage.installation.operator.stop()?;
    let killed = Instant::now();
    let another = stage.changes_hands(&one).await?;
    let took = killed.elapsed();
    eprintln!("taken over {took:.1?} after the kill");
    assert!(
        took + LONGEST_REST + SLACK / 10 > LEASE_DURATION,
        "the lease had not run out: {took:?}"
    );
    assert!(took < LEASE_DURATION + SLACK, "{took:?}");
    assert_eq!(transitions(&stage.lease().await?), Some(1));
    stage
        .installation
        .release("more", json!({"chart": {"spec": {"chart": "parts"}}}))
        .await?;
    stage.installation.ready_is("more", "True", &[]).await?;
    assert_eq!(leads(&two).await?, Some(1.0));
    stage.writes_do_not_mix().await?;

    let events: Api<k8s_openapi::api::events::v1::Event> = stage.installation.api();
    let events = events.list(&kube::api::ListParams::default()).await?;
    let notes: Vec<&str> = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("LeaderElection"))
        .filter_map(|event| event.note.as_deref())
        .collect();
    for leader in [&one, &another] {
        assert!(notes.contains(&format!("{leader} became leader").as_str()), "{notes:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_told_to_end_gives_the_lease_back() -> Result {
    let mut stage = Stage::open(None).await?;
    let two = stage.another().await?;
    let one = holder(&stage.lease().await?).ok_or("a holder")?;
    stage.work().await?;
    stage.has_begun().await?;
    let (has_succeeded, log) = stage.installation.operator.terminate().await?;
    let ended = Instant::now();
    assert!(has_succeeded && log.contains("gave the lease back"), "{log}");
    stage.changes_hands(&one).await?;
    let took = ended.elapsed();
    eprintln!("taken over {took:.1?} after the end");
    assert!(took < RENEW_DEADLINE / 2, "{took:?}");
    stage.is_done().await?;
    assert_eq!(leads(&two).await?, Some(1.0));
    eprintln!("writes: {:?}", stage.writes_do_not_mix().await?);
    Ok(())
}

/// Its requests are lost, as are the answers to those that were made: it ends before anybody may take over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_reach_the_api_server_ends_before_its_lease_does() -> Result {
    let mut storm = None;
    let mut stage = Stage::open(Some(&mut storm)).await?;
    let storm = storm.ok_or("a storm")?;
    let two = stage.another().await?;
    let one = holder(&stage.lease().await?).ok_or("a holder")?;
    stage.work().await?;
    stage.has_begun().await?;
    storm.outage(true);
    let out = Instant::now();
    let (has_succeeded, log) = stage.installation.operator.ended().await?;
    let took = out.elapsed();
    let lease = stage.lease().await?;
    eprintln!("ended {took:.1?} after it lost the API server");
    assert!(!has_succeeded && log.contains("is lost"), "{log}");
    assert_eq!(holder(&lease).as_ref(), Some(&one), "it ended too late");
    let renewed = lease.spec.and_then(|spec| spec.renew_time).ok_or("a time")?.0;
    let age = Timestamp::now().duration_since(renewed).unsigned_abs();
    assert!(age < LEASE_DURATION, "its lease was over: {age:?}");
    stage.changes_hands(&one).await?;
    stage.is_done().await?;
    assert_eq!(leads(&two).await?, Some(1.0));
    eprintln!("writes: {:?}", stage.writes_do_not_mix().await?);
    Ok(())
}

/// A process that is stopped knows nothing of the time that goes by. When it goes on, another one leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_frozen_writes_nothing_when_it_wakes_up() -> Result {
    let mut stage = Stage::open(None).await?;
    let two = stage.another().await?;
    let one = holder(&stage.lease().await?).ok_or("a holder")?;
    stage.work().await?;
    stage.has_begun().await?;
    stage.installation.operator.signal("STOP")?;
    stage.changes_hands(&one).await?;
    stage.installation.operator.signal("CONT")?;
    let (has_succeeded, log) = stage.installation.operator.ended().await?;
    assert!(!has_succeeded && log.contains("is lost"), "{log}");
    stage.is_done().await?;
    assert_eq!(leads(&two).await?, Some(1.0));
    let writes = stage.writes_do_not_mix().await?;
    eprintln!("writes: {writes:?}");
    assert!(
        writes.0 > 0 && writes.1 > 0,
        "it was not frozen in the middle of its work: {writes:?}"
    );
    Ok(())
}

/// Without the rights that `deploy` grants a stand-by is not ready, and says what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_may_not_have_the_lease_is_not_ready() -> Result {
    let plane = installed().await?;
    let namespace = plane.namespace("leader").await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}});
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client()?, &namespace);
    accounts
        .patch("nobody", &PatchParams::apply("test"), &Patch::Apply(account))
        .await?;
    let kubeconfig = plane.service_account_kubeconfig(namespace.name(), "nobody").await?;
    let flags = election(namespace.name());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut operator = Operator::start(&kubeconfig, &flags)?;
    operator.logs("cannot contend").await?;
    let (code, _) = http::get(&operator.metrics_url().replace("/metrics", "/readyz")).await?;
    assert_eq!(code, 503);
    let (has_succeeded, log) = operator.terminate().await?;
    assert!(has_succeeded && log.contains("forbidden"), "{log}");
    Ok(())
}

//! What is done when an install or upgrade fails, with the documented defaults filled in.
//!
//! Pure. Says what the spec asks for; what follows in a given state is decided in `plan`.

use std::time::Duration;

use super::HelmReleaseSpec;
use super::actions::{
    ActionStrategy, ActionStrategyName, ChartNameChangeStrategy, DEFAULT_RETRY_INTERVAL, InstallRemediation,
    RemediationStrategy, UpgradeRemediation,
};
use super::status::ReleaseAction;

/// What is done when an action fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// `RetryOnFailure`: it is tried again without remediation and without limit.
    Retry {
        /// How long is waited between two attempts.
        every: Duration,
    },
    /// `RemediateOnFailure`.
    Remediate(Remediation),
}

impl OnFailure {
    /// Whether failed tests are no failure of the action.
    pub fn ignores_tests(self) -> bool {
        match self {
            // They are run again by themselves.
            Self::Retry { every: _ } => true,
            Self::Remediate(remediation) => remediation.ignores_tests,
        }
    }
}

/// How a failed action is remediated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remediation {
    /// After how many failures the retries are used up, less one; `None` without limit.
    pub retries: Option<u32>,
    /// Whether the failure that uses them up is remediated too.
    pub remediates_last: bool,
    /// Whether failed tests are no failure of the action.
    pub ignores_tests: bool,
    /// What remediation does.
    pub by: RemediationStrategy,
}

impl HelmReleaseSpec {
    /// What is done when the name of the chart changes.
    pub fn chart_name_change(&self) -> ChartNameChangeStrategy {
        let upgrade = self.upgrade.as_ref();
        upgrade
            .and_then(|upgrade| upgrade.chart_name_change_strategy)
            .unwrap_or_default()
    }

    /// What is done when an action fails. The rules are Flux's.
    pub fn on_failure(&self, action: ReleaseAction) -> OnFailure {
        let ignores_tests = self.test.as_ref().is_some_and(|test| test.ignore_failures);
        match action {
            ReleaseAction::Install => {
                let install = self.install.as_ref();
                let InstallRemediation {
                    retries,
                    ignore_test_failures,
                    remediate_last_failure,
                } = install
                    .and_then(|install| install.remediation.clone())
                    .unwrap_or_default();
                let remediation = Remediation {
                    retries: limit(retries),
                    remediates_last: remediate_last_failure.unwrap_or(false),
                    ignores_tests: ignore_test_failures.unwrap_or(ignores_tests),
                    by: RemediationStrategy::Uninstall,
                };
                on_failure(install.and_then(|install| install.strategy.as_ref()), remediation)
            }
            ReleaseAction::Upgrade => {
                let upgrade = self.upgrade.as_ref();
                let UpgradeRemediation {
                    retries,
                    ignore_test_failures,
                    remediate_last_failure,
                    strategy,
                } = upgrade
                    .and_then(|upgrade| upgrade.remediation.clone())
                    .unwrap_or_default();
                let remediation = Remediation {
                    retries: limit(retries),
                    remediates_last: remediate_last_failure.unwrap_or(retries.unwrap_or_default() > 0),
                    ignores_tests: ignore_test_failures.unwrap_or(ignores_tests),
                    by: strategy.unwrap_or_default(),
                };
                on_failure(upgrade.and_then(|upgrade| upgrade.strategy.as_ref()), remediation)
            }
        }
    }
}

/// A negative number of retries is no limit.
fn limit(retries: Option<i32>) -> Option<u32> {
    u32::try_from(retries.unwrap_or_default()).ok()
}

fn on_failure(strategy: Option<&ActionStrategy>, remediation: Remediation) -> OnFailure {
    match strategy {
        Some(ActionStrategy {
            name: ActionStrategyName::RetryOnFailure,
            retry_interval,
        }) => OnFailure::Retry {
            every: retry_interval.unwrap_or(DEFAULT_RETRY_INTERVAL).as_std(),
        },
        Some(ActionStrategy {
            name: ActionStrategyName::RemediateOnFailure,
            retry_interval: _, // only valid with the other
        })
        | None => OnFailure::Remediate(remediation),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn on_failure(action: ReleaseAction, options: Value) -> OnFailure {
        let mut spec = json!({"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "shop"}});
        if let (Value::Object(spec), Value::Object(options)) = (&mut spec, options) {
            spec.extend(options);
        }
        let spec: HelmReleaseSpec = serde_json::from_value(spec).unwrap();
        spec.on_failure(action)
    }

    #[test]
    fn the_defaults_are_those_of_flux() {
        let remediation = |by| {
            OnFailure::Remediate(Remediation {
                retries: Some(0),
                remediates_last: false,
                ignores_tests: false,
                by,
            })
        };
        let found = |action| on_failure(action, json!({}));
        assert_eq!(
            found(ReleaseAction::Install),
            remediation(RemediationStrategy::Uninstall)
        );
        assert_eq!(
            found(ReleaseAction::Upgrade),
            remediation(RemediationStrategy::Rollback)
        );
    }

    #[test]
    fn an_upgrade_that_is_retried_is_remediated_at_last_too_and_an_install_is_not() {
        for (retries, install, upgrade) in [(3, false, true), (0, false, false), (-1, false, false)] {
            let remediation = json!({"remediation": {"retries": retries}});
            let spec = json!({"install": remediation, "upgrade": remediation, "test": {"ignoreFailures": true}});
            for (action, expected) in [(ReleaseAction::Install, install), (ReleaseAction::Upgrade, upgrade)] {
                let OnFailure::Remediate(found) = on_failure(action, spec.clone()) else {
                    panic!("{action:?} is not remediated");
                };
                let limit = u32::try_from(retries).ok();
                assert_eq!(
                    (found.retries, found.remediates_last, found.ignores_tests),
                    (limit, expected, true)
                );
            }
        }
    }

    #[test]
    fn what_is_only_retried_waits_as_the_strategy_says() {
        let strategy =
            |interval: Value| json!({"install": {"strategy": {"name": "RetryOnFailure", "retryInterval": interval}}});
        for (interval, minutes) in [(json!("1m"), 1), (Value::Null, 5)] {
            let every = Duration::from_mins(minutes);
            assert_eq!(
                on_failure(ReleaseAction::Install, strategy(interval)),
                OnFailure::Retry { every }
            );
        }
    }
}

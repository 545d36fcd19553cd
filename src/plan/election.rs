//! Which of several operators leads: decisions about the lease that they contend for.
//!
//! Pure and total. Knows what a lease says and for how long it is believed; not how it is read and written. The clocks of two machines
//! are never compared: a lease has run out when it was not seen to change for as long as it says, by the clock of who looks. A leader
//! counts from before it sent its last write, and stops earlier than that; so it has stopped before anybody can begin.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;

/// The shortest retry period.
const SHORTEST_RETRY: Duration = Duration::from_millis(100);
/// The longest lease that is asked for or believed.
const LONGEST_LEASE: Duration = Duration::from_hours(1);
/// By how many percent retries are spread either way.
pub const RETRY_JITTER: u8 = 20;
/// What a lease that was given back says, as the API server refuses 0.
const RELEASED: Duration = Duration::from_secs(1);

/// A moment on this process's clock: the time since a moment that is the same for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// The moment that much later.
    #[must_use]
    pub const fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// How long it is until a moment; nothing when it is past.
    pub const fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// Now, by both clocks: decisions are made by the one, and the other is written for people to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On this process's clock.
    pub moment: Moment,
    /// On the wall.
    pub time: Timestamp,
}

/// How long things take in an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

/// Why times do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A lease is written in whole seconds.
    #[error(
        "--leader-election-lease-duration={0:?}: give whole seconds, from 1s to {hour:?}",
        hour = LONGEST_LEASE
    )]
    LeaseDuration(Duration),
    /// A leader must stop before another can begin.
    #[error(
        "--leader-election-renew-deadline={renew:?} must be shorter than --leader-election-lease-duration={lease:?}: a leader stops \
         after the one, another begins after the other"
    )]
    RenewDeadline {
        /// The renew deadline.
        renew: Duration,
        /// The lease duration.
        lease: Duration,
    },
    /// A leader must be able to try more than once.
    #[error(
        "--leader-election-retry-period={retry:?} must be at least {SHORTEST_RETRY:?} and at most half of \
         --leader-election-renew-deadline={renew:?}, so that one lost request does not end a leader"
    )]
    RetryPeriod {
        /// The retry period.
        retry: Duration,
        /// The renew deadline.
        renew: Duration,
    },
}

impl Timing {
    /// Times that fit each other.
    ///
    /// # Errors
    /// When they do not.
    pub fn new(
        lease_duration: Duration,
        renew_deadline: Duration,
        retry_period: Duration,
    ) -> Result<Self, TimingError> {
        if lease_duration.is_zero() || lease_duration.subsec_nanos() != 0 || lease_duration > LONGEST_LEASE {
            return Err(TimingError::LeaseDuration(lease_duration));
        }
        if renew_deadline >= lease_duration {
            return Err(TimingError::RenewDeadline {
                renew: renew_deadline,
                lease: lease_duration,
            });
        }
        if retry_period < SHORTEST_RETRY || retry_period > renew_deadline / 2 {
            return Err(TimingError::RetryPeriod {
                retry: retry_period,
                renew: renew_deadline,
            });
        }
        Ok(Self {
            lease_duration,
            renew_deadline,
            retry_period,
        })
    }

    /// How long is waited between two attempts.
    pub const fn retry_period(&self) -> Duration {
        self.retry_period
    }

    /// How long one request may take: a leader can make two before it has to stop.
    pub fn request_timeout(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// What is known of the lease.
#[derive(Debug, Clone, PartialEq)]
enum View {
    /// Nothing, or nothing any more.
    Unknown,
    /// There is none.
    Absent,
    /// It stands like this since it was first seen like this.
    Present { lease: Box<Lease>, since: Moment },
}

/// Whether an operator leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Candidate,
    /// It does, until this moment at the longest.
    Leader {
        until: Moment,
    },
}

/// Why an operator does not lead any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The lease could not be renewed in time.
    #[error("it could not be renewed within {0:?}")]
    Expired(Duration),
    /// Somebody else holds it.
    #[error("{0} holds it")]
    Taken(String),
}

/// What an operator does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Look at the lease.
    Look,
    /// Create it.
    Create(Lease),
    /// Write this in the place of the version that it names.
    Replace(Lease),
    /// Somebody else leads. Nothing is to be done before that moment, unless the lease changes.
    Wait {
        /// Who leads.
        holder: String,
        /// When the lease has run out.
        until: Moment,
    },
    /// Stop at once.
    Stop(Loss),
}

/// One operator in an election.
#[derive(Debug, Clone)]
pub struct Elector {
    namespace: String,
    name: String,
    identity: String,
    timing: Timing,
    standing: Standing,
    view: View,
}

impl Elector {
    /// A candidate for the lease of this name who has not looked yet. No two have the same identity.
    pub const fn new(namespace: String, name: String, identity: String, timing: Timing) -> Self {
        Self {
            namespace,
            name,
            identity,
            timing,
            standing: Standing::Candidate,
            view: View::Unknown,
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the lease.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who it is in the lease.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The times it keeps.
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Takes note of the lease as it was read at a moment.
    pub fn saw(&mut self, lease: Option<Lease>, now: Moment) {
        self.view = match (lease, &self.view) {
            (None, _) => View::Absent,
            (Some(lease), View::Present { lease: known, since })
                if known.metadata.resource_version == lease.metadata.resource_version
                    && known.metadata.uid == lease.metadata.uid =>
            {
                View::Present {
                    since: *since,
                    lease: Box::new(lease),
                }
            }
            (Some(lease), View::Unknown | View::Absent | View::Present { .. }) => View::Present {
                lease: Box::new(lease),
                since: now,
            },
        };
    }

    /// Takes note that it wrote the lease: what the server answered, and when the request was sent.
    pub fn wrote(&mut self, lease: Lease, sent: Moment) {
        self.standing = Standing::Leader {
            until: sent.after(self.timing.renew_deadline),
        };
        self.view = View::Present {
            lease: Box::new(lease),
            since: sent,
        };
    }

    /// Takes note that a write was refused or not answered: the lease may have become anything.
    pub fn missed(&mut self) {
        self.view = View::Unknown;
    }

    /// Until when it leads, if it does.
    pub const fn leads_until(&self) -> Option<Moment> {
        match self.standing {
            Standing::Leader { until } => Some(until),
            Standing::Candidate => None,
        }
    }

    /// What it does next.
    pub fn next(&self, now: Now) -> Step {
        match self.standing {
            Standing::Leader { until } if now.moment >= until => {
                return Step::Stop(Loss::Expired(self.timing.renew_deadline));
            }
            Standing::Leader { .. } | Standing::Candidate => {}
        }
        let (lease, since) = match &self.view {
            View::Unknown => return Step::Look,
            View::Absent => return Step::Create(self.claim(None, now.time)),
            View::Present { lease, since } => (lease, *since),
        };
        match (holder(lease), self.standing) {
            (Some(holder), Standing::Leader { .. }) if holder != self.identity => {
                Step::Stop(Loss::Taken(holder.to_owned()))
            }
            (Some(holder), Standing::Candidate) if holder != self.identity => {
                let until = since.after(self.believed(lease));
                if now.moment < until {
                    let holder = holder.to_owned();
                    Step::Wait { holder, until }
                } else {
                    Step::Replace(self.claim(Some(lease), now.time))
                }
            }
            // Its own: also that of a candidate whose write was made although no answer came.
            (Some(_) | None, Standing::Leader { .. } | Standing::Candidate) => {
                Step::Replace(self.claim(Some(lease), now.time))
            }
        }
    }

    /// What a leader that has stopped writes, so that another can begin at once.
    pub fn release(&self, time: Timestamp) -> Option<Lease> {
        match (&self.view, self.standing) {
            (View::Present { lease, .. }, Standing::Leader { .. }) if holder(lease) == Some(&self.identity) => {
                let mut released = lease.as_ref().clone();
                let spec = released.spec.get_or_insert_default();
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(seconds(RELEASED));
                spec.renew_time = Some(MicroTime(time));
                Some(released)
            }
            (View::Unknown | View::Absent | View::Present { .. }, Standing::Leader { .. } | Standing::Candidate) => {
                None
            }
        }
    }

    /// How long a lease is believed after it was last seen to change.
    fn believed(&self, lease: &Lease) -> Duration {
        let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let said = said.and_then(|seconds| u64::try_from(seconds).ok());
        said.map_or(self.timing.lease_duration, Duration::from_secs)
            .min(LONGEST_LEASE)
    }

    /// The lease as its own, from the lease as it is.
    fn claim(&self, lease: Option<&Lease>, time: Timestamp) -> Lease {
        let mut claimed = lease.cloned().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                namespace: Some(self.namespace.clone()),
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            ..Lease::default()
        });
        let is_own = lease.and_then(holder) == Some(&self.identity);
        let spec = claimed.spec.get_or_insert_default();
        if !is_own {
            spec.acquire_time = Some(MicroTime(time));
            spec.lease_transitions = Some(lease.map_or(0, |before| transitions(before).saturating_add(1)));
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = Some(seconds(self.timing.lease_duration));
        spec.renew_time = Some(MicroTime(time));
        claimed
    }
}

/// Who holds a lease.
pub fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    Some(holder).filter(|holder| !holder.is_empty())
}

fn transitions(lease: &Lease) -> i32 {
    let spec: Option<&LeaseSpec> = lease.spec.as_ref();
    spec.and_then(|spec| spec.lease_transitions).unwrap_or(0).max(0)
}

/// Whole seconds, as a lease has them.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;

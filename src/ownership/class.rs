//! What kind of conflict it is: the difference between noise, history and a real disagreement.

use regex::Regex;
use serde_json::Value;

use super::conflict::ConflictCause;
use super::fieldset::FieldSet;
use super::managed::Manager;
use super::path::FieldPath;
use super::value::{lookup, same_content};
pub use crate::api::helm_release::ownership_status::ConflictClass as Class;

/// The beginning of the default field manager of every Fairlead release.
pub const SIBLING_PREFIX: &str = "fairlead:";

/// What is appended to our field manager's name for a value that waits for its next owner.
pub const HAND_OVER_SUFFIX: &str = "-handover";

/// Who is who among the field managers, as one release sees them.
#[derive(Debug, Clone)]
pub struct Roster {
    field_manager: String,
    hand_over: String,
    legacy: Vec<String>,
    siblings: Option<Regex>,
}

impl Roster {
    /// `legacy` are the names of managers whose fields of this release's objects are ours (`adoptFrom`); one that ends with
    /// `*` stands for all that begin so;
    /// `siblings` matches custom field managers of other Fairlead releases.
    pub fn new(field_manager: impl Into<String>, legacy: Vec<String>, siblings: Option<Regex>) -> Self {
        let field_manager = field_manager.into();
        let hand_over = hand_over_manager(&field_manager);
        Self {
            field_manager,
            hand_over,
            legacy,
            siblings,
        }
    }

    /// The release's own field manager.
    pub fn field_manager(&self) -> &str {
        &self.field_manager
    }

    /// The manager that holds values for owners to come.
    pub fn hand_over_manager(&self) -> &str {
        &self.hand_over
    }

    /// The class of a conflict with this owner in which values differ.
    pub fn class_of(&self, owner: &Manager) -> Class {
        if self.is_legacy(owner) {
            Class::Legacy
        } else if self.is_sibling(owner) {
            Class::Sibling
        } else {
            Class::Real
        }
    }

    fn is_ours(&self, manager: &Manager) -> bool {
        manager.name == self.hand_over || manager.name == self.field_manager
    }

    /// Whether this owner's fields of our objects are ours by history, so that it need not keep them beside us. Values that
    /// wait for their next owner are not history.
    pub fn is_predecessor(&self, manager: &Manager) -> bool {
        self.is_legacy(manager) && manager.name != self.hand_over
    }

    /// Writes to subresources are never a predecessor's: Helm and kubectl apply write the object itself.
    fn is_legacy(&self, manager: &Manager) -> bool {
        manager.subresource.is_none()
            && (self.is_ours(manager) || self.legacy.iter().any(|name| is_named(name, &manager.name)))
    }

    fn is_sibling(&self, manager: &Manager) -> bool {
        !self.is_ours(manager)
            && (manager.name.starts_with(SIBLING_PREFIX)
                || self
                    .siblings
                    .as_ref()
                    .is_some_and(|siblings| siblings.is_match(&manager.name)))
    }
}

/// Whether a name is the listed one, or begins as the listed one does before its `*`.
fn is_named(listed: &str, name: &str) -> bool {
    match listed.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == listed,
    }
}

/// The name under which a value waits for its next owner; at most 128 bytes, which is the server's limit.
fn hand_over_manager(field_manager: &str) -> String {
    let mut end = field_manager.len().min(128 - HAND_OVER_SUFFIX.len());
    while !field_manager.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{HAND_OVER_SUFFIX}", field_manager.get(..end).unwrap_or_default())
}

/// What a class is decided on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The object as it is.
    pub live: &'a Value,
    /// The object as a forced dry run says it would be.
    pub predicted: &'a Value,
    /// The contested path; `None` if the server's text could not be matched to one of the owner's fields.
    pub path: Option<&'a FieldPath>,
    /// The version that we apply in.
    pub api_version: &'a str,
}

impl Evidence<'_> {
    /// The class of a conflict with this owner.
    pub fn classify(&self, owner: &Manager, roster: &Roster) -> Class {
        if self.changes_nothing(owner) {
            Class::Phantom
        } else {
            roster.class_of(owner)
        }
    }

    /// A path of another version cannot be looked up in our objects; then nothing at all may change.
    fn changes_nothing(&self, owner: &Manager) -> bool {
        let comparable = owner
            .api_version
            .as_deref()
            .is_none_or(|version| version == self.api_version);
        match self.path {
            Some(path) if comparable => lookup(self.live, path) == lookup(self.predicted, path),
            Some(_) | None => same_content(self.live, self.predicted),
        }
    }
}

/// One owner of one contested path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// The exact path, or `None` if it could not be found among the owner's fields.
    pub path: Option<FieldPath>,
    /// The server's text of the path.
    pub field: String,
    /// The owner, with everything that managedFields says about it.
    pub manager: Manager,
}

/// The exact paths of all causes, from the live object's managedFields; sorted.
///
/// Where the server's text stands for several of the owner's fields, the one that we apply is meant. An owner that the server
/// made up only for its answer has no entry; its fields are looked for among those that we are `known` to have owned.
pub fn contenders(
    causes: &[ConflictCause],
    managed: &super::managed::ManagedFields,
    intent: &Value,
    known: Option<&FieldSet>,
) -> Vec<Contender> {
    let mut found = Vec::new();
    for cause in causes {
        let entry = managed.entries().iter().find(|entry| cause.is_about(entry));
        let fields = entry.map(|entry| &entry.fields).or(known);
        let mut paths = fields.map(|fields| cause.exact_paths(fields)).unwrap_or_default();
        if paths.len() > 1 {
            paths.retain(|path| lookup(intent, path).is_some());
        }
        let manager = entry.map_or(&cause.manager, |entry| &entry.manager);
        let contender = |path| Contender {
            path,
            field: cause.field.clone(),
            manager: manager.clone(),
        };
        if paths.is_empty() {
            found.push(contender(None));
        }
        found.extend(paths.into_iter().map(Some).map(contender));
    }
    found.sort_by(|a, b| (&a.path, &a.field, &a.manager).cmp(&(&b.path, &b.field, &b.manager)));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ownership::managed::{ManagedFields, Operation};

    fn manager(name: &str) -> Manager {
        Manager {
            name: name.into(),
            operation: Operation::Update,
            subresource: None,
            api_version: Some("apps/v1".into()),
            time: None,
        }
    }

    fn roster() -> Roster {
        Roster::new(
            "fairlead:a/b",
            vec!["helm".to_owned()],
            Some(Regex::new("^team-.*$").unwrap()),
        )
    }

    fn class(live: i32, predicted: i32, owner: &Manager) -> Class {
        let (live, predicted) = (
            json!({"spec": {"replicas": live}}),
            json!({"spec": {"replicas": predicted}}),
        );
        let path = FieldPath::of_fields(["spec", "replicas"]);
        Evidence {
            live: &live,
            predicted: &predicted,
            path: Some(&path),
            api_version: "apps/v1",
        }
        .classify(owner, &roster())
    }

    #[test]
    fn a_predecessor_may_be_named_by_how_it_begins() {
        let roster = Roster::new(
            "us",
            vec!["helm".to_owned(), "terraform-provider-helm_*".to_owned()],
            None,
        );
        assert_eq!(
            roster.class_of(&manager("terraform-provider-helm_v2.17.0_x5")),
            Class::Legacy
        );
        assert_eq!(roster.class_of(&manager("helmwave")), Class::Real);
        let subresource = Manager {
            subresource: Some("status".into()),
            ..manager("helm")
        };
        assert_eq!(roster.class_of(&subresource), Class::Real);
        assert!(roster.is_predecessor(&manager("helm")) && !roster.is_predecessor(&manager("us-handover")));
        assert_eq!(roster.class_of(&manager("us-handover")), Class::Legacy);
    }

    #[test]
    fn classes() {
        assert_eq!(class(1, 1, &manager("kubectl")), Class::Phantom);
        assert_eq!(class(1, 2, &manager("kubectl")), Class::Real);
        assert_eq!(class(1, 2, &manager("helm")), Class::Legacy);
        assert_eq!(class(1, 2, &manager("fairlead:a/b-handover")), Class::Legacy);
        assert_eq!(class(1, 2, &manager("fairlead:a/c")), Class::Sibling);
        assert_eq!(class(1, 2, &manager("team-x")), Class::Sibling);
        let scaled = Manager {
            subresource: Some("scale".into()),
            ..manager("helm")
        };
        assert_eq!(class(1, 2, &scaled), Class::Real);
    }

    #[test]
    fn a_path_of_another_version_is_phantom_only_if_nothing_changes() {
        let live = json!({"spec": {"metrics": [1]}});
        let path = FieldPath::of_fields(["spec", "targetCPUUtilizationPercentage"]);
        let owner = Manager {
            api_version: Some("autoscaling/v1".into()),
            ..manager("kubectl-autoscale")
        };
        let evidence = |predicted| Evidence {
            live: &live,
            predicted,
            path: Some(&path),
            api_version: "autoscaling/v2",
        };
        let changed = json!({"spec": {"metrics": [2]}});
        assert_eq!(evidence(&changed).classify(&owner, &roster()), Class::Real);
        assert_eq!(evidence(&live).classify(&owner, &roster()), Class::Phantom);
    }

    #[test]
    fn hand_over_managers_fit_the_servers_limit() {
        let roster = Roster::new("ä".repeat(64), Vec::new(), None);
        assert!(roster.hand_over_manager().len() <= 128);
    }

    #[test]
    fn contenders_have_exact_paths_whatever_the_order() {
        let managed = ManagedFields::of(&json!({"metadata": {"managedFields": [
            {"manager": "kubectl-patch", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
             "fieldsV1": {"f:data": {"f:a.yaml": {}, "f:a": {"f:yaml": {}}}}}]}}))
        .unwrap();
        let manager = Manager {
            name: "kubectl-patch".into(),
            operation: Operation::Update,
            subresource: None,
            api_version: Some("v1".into()),
            time: None,
        };
        let causes = [".data.a.yaml", ".data.lost"].map(|field| ConflictCause {
            field: field.into(),
            manager: manager.clone(),
        });
        let found = contenders(&causes, &managed, &json!({"data": {"a.yaml": "x"}}), None);
        let paths: Vec<_> = found
            .iter()
            .map(|contender| contender.path.as_ref().map(ToString::to_string))
            .collect();
        assert_eq!(paths, [None, Some(".data[\"a.yaml\"]".to_owned())]);
        assert!(found.last().unwrap().manager.time.is_some());
        let mut reversed = causes.to_vec();
        reversed.reverse();
        assert_eq!(
            contenders(&reversed, &managed, &json!({"data": {"a.yaml": "x"}}), None),
            found
        );
    }
}

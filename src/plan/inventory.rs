//! `status.inventory`: which objects a release has, so that none is forgotten.
//!
//! Pure. The form of an entry is the API's; this module knows what it stands for.

use std::collections::HashSet;

use crate::api::helm_release::history::{Inventory, InventoryEntry};
use crate::ownership::reference::ObjectReference;

/// The inventory's entry for an object.
pub fn entry(reference: &ObjectReference) -> InventoryEntry {
    InventoryEntry::new(
        reference.namespace.as_deref().unwrap_or_default(),
        &reference.name,
        reference.group(),
        &reference.kind,
        reference.version(),
    )
}

/// The object of an entry; `None` for an entry of another shape, which only another writer can have made.
pub fn reference(entry: &InventoryEntry) -> Option<ObjectReference> {
    let (namespace, name, group, kind) = entry.parts()?;
    Some(ObjectReference {
        api_version: if group.is_empty() {
            entry.v.clone()
        } else {
            format!("{group}/{}", entry.v)
        },
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        name,
    })
}

/// Objects of the inventory that are no longer desired.
pub fn leftovers<'a>(
    inventory: Option<&Inventory>,
    desired: impl Iterator<Item = &'a ObjectReference>,
) -> Vec<ObjectReference> {
    let Some(inventory) = inventory else { return Vec::new() };
    let desired: HashSet<String> = desired.map(|reference| entry(reference).id).collect();
    let gone = inventory.entries.iter().filter(|entry| !desired.contains(&entry.id));
    gone.filter_map(reference).collect()
}

/// Adds desired objects. That is done before any of them is written, so that none is forgotten whatever happens.
pub fn extend<'a>(inventory: &mut Inventory, desired: impl Iterator<Item = &'a ObjectReference>) {
    let desired: Vec<InventoryEntry> = desired.map(entry).collect();
    let ids: HashSet<&str> = desired.iter().map(|entry| entry.id.as_str()).collect();
    inventory.entries.retain(|entry| !ids.contains(entry.id.as_str()));
    inventory.entries.extend(desired);
    inventory.entries.sort();
}

/// Takes an object out that is gone, or that is not the release's any more.
pub fn remove(inventory: &mut Inventory, reference: &ObjectReference) {
    let gone = entry(reference);
    inventory.entries.retain(|entry| entry.id != gone.id);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectReference {
        ObjectReference {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.map(str::to_owned),
            name: name.into(),
        }
    }

    #[test]
    fn an_object_is_known_by_kind_and_name_in_every_version() {
        let old = object("autoscaling/v2beta2", "HorizontalPodAutoscaler", Some("prod"), "web");
        let new = object("autoscaling/v2", "HorizontalPodAutoscaler", Some("prod"), "web");
        let mut inventory = Inventory::default();
        extend(&mut inventory, [&old].into_iter());
        assert_eq!(leftovers(Some(&inventory), [&new].into_iter()), []);
        extend(&mut inventory, [&new].into_iter());
        assert_eq!(
            inventory.entries.iter().map(reference).collect::<Vec<_>>(),
            [Some(new.clone())]
        );
        remove(&mut inventory, &old);
        assert_eq!(inventory, Inventory::default());
    }

    #[test]
    fn what_left_the_chart_is_left_over() {
        let role = object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "system:shop");
        let map = object("v1", "ConfigMap", Some("prod"), "old");
        let mut inventory = Inventory::default();
        extend(&mut inventory, [&role, &map].into_iter());
        assert_eq!(leftovers(Some(&inventory), [&role].into_iter()), [map]);
        assert_eq!(leftovers(Some(&inventory), [].into_iter()).len(), 2);
        assert_eq!(leftovers(None, [&role].into_iter()), []);
    }
}

//! One object on its way through the post-renderers, and how patches name it.

use std::fmt;

use serde_json::Value;

use super::builtin;
use super::error::ChangeError;

/// How kustomize names an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Identity {
    /// Reads the name of an object.
    ///
    /// # Errors
    /// The field that is missing or is no text.
    pub(super) fn of(object: &Value) -> Result<Self, &'static str> {
        let text = |pointer: &str, field| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned).ok_or(field)
        };
        Ok(Self {
            api_version: text("/apiVersion", "apiVersion")?,
            kind: text("/kind", "kind")?,
            name: text("/metadata/name", "metadata.name")?,
            namespace: text("/metadata/namespace", "").ok(),
        })
    }

    pub(super) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    pub(super) fn version(&self) -> &str {
        let version = self.api_version.split_once('/').map(|(_, version)| version);
        version.unwrap_or(&self.api_version)
    }

    /// The namespace as patches have it: `default` where none is given, and a word of kustomize's for kinds without one.
    pub(super) fn effective_namespace(&self) -> &str {
        if builtin::is_cluster_scoped(&self.api_version, &self.kind) {
            return "_non_namespaceable_";
        }
        self.namespace.as_deref().unwrap_or("default")
    }

    /// Whether both are names of one object.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.api_version == other.api_version
            && self.kind == other.kind
            && self.name == other.name
            && self.effective_namespace() == other.effective_namespace()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api_version,
            kind,
            namespace,
            name,
        } = self;
        write!(formatter, "{api_version} {kind} ")?;
        if let Some(namespace) = namespace {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(name)
    }
}

/// One object on its way through the post-renderers.
#[derive(Debug, Clone)]
pub struct Object {
    /// `None` when a patch has deleted it.
    state: Option<State>,
    is_changed: bool,
}

#[derive(Debug, Clone)]
struct State {
    value: Value,
    identity: Identity,
    /// Its name before the first patch of the pass.
    original: Identity,
}

impl Object {
    /// An object that was rendered; `None` for what names no object, which no patch can be about.
    pub fn new(value: Value) -> Option<Self> {
        let identity = Identity::of(&value).ok()?;
        let original = identity.clone();
        let state = Some(State {
            value,
            identity,
            original,
        });
        Some(Self {
            state,
            is_changed: false,
        })
    }

    /// The object as it is now; `None` when it was deleted.
    pub fn value(&self) -> Option<&Value> {
        self.state.as_ref().map(|state| &state.value)
    }

    /// Whether it differs from what was rendered.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The next pass knows it by the name that it has now.
    pub(super) fn begin_pass(&mut self) {
        if let Some(State { identity, original, .. }) = &mut self.state {
            original.clone_from(identity);
        }
    }

    /// What messages call it; nothing when it was deleted.
    pub(super) fn label(&self) -> String {
        let state = self.state.as_ref();
        state.map(|state| state.identity.to_string()).unwrap_or_default()
    }

    /// Its names: the one that it has, and the one that it had before the pass.
    pub(super) fn identities(&self) -> Option<[&Identity; 2]> {
        let State { identity, original, .. } = self.state.as_ref()?;
        Some([identity, original])
    }

    /// Changes it; `change` returns what comes of it, nothing when it is deleted.
    pub(super) fn change(
        &mut self,
        change: impl FnOnce(Value) -> Result<Option<Value>, ChangeError>,
    ) -> Result<(), ChangeError> {
        let Some(State {
            value,
            identity: _,
            original,
        }) = self.state.take()
        else {
            return Ok(());
        };
        self.is_changed = true;
        if let Some(value) = change(value)? {
            let identity = Identity::of(&value).map_err(ChangeError::NoIdentity)?;
            self.state = Some(State {
                value,
                identity,
                original,
            });
        }
        Ok(())
    }

    /// Changes its value in place, by something that says whether it changed anything and leaves its name alone.
    pub(super) fn edit<E>(&mut self, edit: impl FnOnce(&mut Value) -> Result<bool, E>) -> Result<(), E> {
        if let Some(State { value, .. }) = &mut self.state {
            self.is_changed |= edit(value)?;
        }
        Ok(())
    }
}

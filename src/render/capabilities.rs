//! `.Capabilities` as templates see it.

use std::any::Any;

use crate::chart::capabilities::{Capabilities, HELM_VERSION, KUBE_CLIENT_VERSION, KubeVersion};
use crate::template::function::{Function, function};
use crate::template::value::{Field, Kind, List, ListType, Object, Text, Underlying, Value};

/// The Go release that Helm 4.3.1 was built with.
const GO_VERSION: &str = "go1.26.8";

/// The object that templates see.
pub(super) fn value(capabilities: &Capabilities) -> Value {
    let Capabilities {
        kube_version,
        api_versions,
    } = capabilities;
    let versions = api_versions
        .iter()
        .map(|version| Value::from(version.as_str()))
        .collect();
    Value::object(CapabilitiesObject {
        kube_version: Value::object(KubeVersionObject(kube_version.clone())),
        api_versions: Value::List(List::of(ListType::VersionSet, versions)),
        helm_version: Value::object(BuildInfo),
    })
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field {
        name,
        value: value.into(),
        interface: false,
    }
}

#[derive(Debug)]
struct CapabilitiesObject {
    kube_version: Value,
    api_versions: Value,
    helm_version: Value,
}

impl Object for CapabilitiesObject {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn underlying(&self) -> Underlying {
        let Self {
            kube_version,
            api_versions,
            helm_version,
        } = self;
        Underlying::Struct(vec![
            field("KubeVersion", kube_version.clone()),
            field("APIVersions", api_versions.clone()),
            field("HelmVersion", helm_version.clone()),
        ])
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct KubeVersionObject(KubeVersion);

const KUBE_VERSION_METHODS: &[Function] = &[
    function!("String", kube_version_string, (&Value) -> Text),
    function!("GitVersion", kube_version_git, (&Value) -> Text),
];

fn kube_version_string(receiver: &Value) -> Text {
    receiver
        .downcast()
        .map_or_else(Text::default, |KubeVersionObject(version)| {
            version.normalized.as_str().into()
        })
}

fn kube_version_git(receiver: &Value) -> Text {
    receiver
        .downcast()
        .map_or_else(Text::default, |KubeVersionObject(version)| {
            version.version.as_str().into()
        })
}

impl Object for KubeVersionObject {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn underlying(&self) -> Underlying {
        let KubeVersion {
            version,
            normalized,
            major,
            minor,
        } = &self.0;
        Underlying::Struct(vec![
            field("Version", version.as_str()),
            field("normalizedVersion", normalized.as_str()),
            field("Major", major.as_str()),
            field("Minor", minor.as_str()),
        ])
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn methods(&self) -> &'static [Function] {
        KUBE_VERSION_METHODS
    }

    fn addressable_stringer(&self) -> Option<Text> {
        Some(self.0.normalized.as_str().into())
    }

    fn field(&self, name: &[u8]) -> Option<Field> {
        let KubeVersion {
            version,
            normalized: _,
            major,
            minor,
        } = &self.0;
        match name {
            b"Version" => Some(field("Version", version.as_str())),
            b"Major" => Some(field("Major", major.as_str())),
            b"Minor" => Some(field("Minor", minor.as_str())),
            _ => None,
        }
    }
}

/// `.Capabilities.HelmVersion`.
#[derive(Debug)]
struct BuildInfo;

impl Object for BuildInfo {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn underlying(&self) -> Underlying {
        Underlying::Struct(vec![
            field("Version", HELM_VERSION),
            field("GitCommit", ""),
            field("GitTreeState", ""),
            field("GoVersion", GO_VERSION),
            field("KubeClientVersion", KUBE_CLIENT_VERSION),
        ])
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn tagged(&self) -> Option<Vec<Field>> {
        Some(vec![
            field("version", HELM_VERSION),
            field("go_version", GO_VERSION),
            field("kube_client_version", KUBE_CLIENT_VERSION),
        ])
    }
}

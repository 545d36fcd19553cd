//! The files for installation agree with each other and with the rest of the repository.
//!
//! Whether a cluster accepts them is shown by the integration tests; this needs no cluster.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fairlead::yaml;
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn documents(path: impl AsRef<Path>) -> Vec<Value> {
    let text = read(&path);
    let parse = |document: &str| {
        yaml::to_json_strict(document.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
    };
    text.split("\n---\n").map(parse).collect()
}

/// The files and folders that a kustomization names.
fn named(kustomization: &Path) -> Vec<PathBuf> {
    let folder = kustomization.parent().unwrap();
    let [document] = &documents(kustomization)[..] else {
        panic!("{}", kustomization.display())
    };
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let generated = all(&document["configMapGenerator"]);
    let files = generated.iter().flat_map(|generator| all(&generator["files"]));
    let named = ["resources", "components"]
        .iter()
        .flat_map(|field| all(&document[field]));
    named
        .chain(files)
        .map(|entry| {
            let entry = entry.as_str().unwrap();
            // A generator's file may be given another name, in front.
            folder.join(entry.rsplit_once('=').map_or(entry, |(_, file)| file))
        })
        .collect()
}

fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.insert(path.canonicalize().unwrap());
        }
    }
}

#[test]
fn every_file_is_part_of_an_installation() {
    let mut files = BTreeSet::new();
    for folder in ["deploy", "crds"] {
        files_below(&root().join(folder), &mut files);
    }
    let mut used = BTreeSet::new();
    for kustomization in files.iter().filter(|path| path.ends_with("kustomization.yaml")) {
        used.insert(kustomization.clone());
        for entry in named(kustomization) {
            let entry = entry.canonicalize().unwrap_or_else(|error| {
                panic!("{} names {}: {error}", kustomization.display(), entry.display());
            });
            used.insert(if entry.is_dir() {
                entry.join("kustomization.yaml")
            } else {
                entry
            });
        }
    }
    assert_eq!(
        files, used,
        "files that no kustomization names, or names without a file"
    );
}

#[test]
fn the_controller_runs_with_the_least_rights_on_its_node() {
    let [deployment] = &documents("deploy/base/deployment.yaml")[..] else {
        panic!("one document")
    };
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let containers = pod["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    let expected = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(containers[0]["securityContext"], expected);
    let ports: Vec<_> = containers[0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| &port["name"])
        .collect();
    for probe in ["livenessProbe", "readinessProbe"] {
        assert!(
            ports.contains(&&containers[0][probe]["httpGet"]["port"]),
            "{probe} asks a port that is not there"
        );
    }
}

/// Asks the program itself what it understands, so that an option that it loses is missed here.
#[test]
fn the_controller_understands_how_it_is_started() {
    let [deployment] = &documents("deploy/base/deployment.yaml")[..] else {
        panic!("one document")
    };
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap());
    let help = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(arguments.chain(["--help"]))
        .env_clear()
        .output()
        .unwrap();
    assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
    let help = String::from_utf8(help.stdout).unwrap();
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        // Read by the events alone, for which there is no flag.
        let known = name == "POD_NAME" || help.contains(&format!("[env: {name}="));
        assert!(known, "{name} means nothing to the controller:\n{help}");
    }
    let listen = format!("[default: 0.0.0.0:{}]", container["ports"][0]["containerPort"]);
    assert!(help.contains(&listen), "not {listen}:\n{help}");
    let cache = &container["env"][1];
    assert_eq!(cache["name"], "FAIRLEAD_CHART_CACHE");
    assert_eq!(cache["value"], container["volumeMounts"][0]["mountPath"]);
}

#[test]
fn selectors_match_the_labels_of_the_pods() {
    let [deployment] = &documents("deploy/base/deployment.yaml")[..] else {
        panic!("one document")
    };
    let [service] = &documents("deploy/base/service.yaml")[..] else {
        panic!("one document")
    };
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
    ] {
        let selector = selector.as_object().unwrap();
        assert!(!selector.is_empty());
        for (key, value) in selector {
            assert_eq!(&labels[key], value, "{key}");
        }
    }
}

#[test]
fn the_image_is_that_of_this_version_and_toolchain() {
    let [kustomization] = &documents("deploy/base/kustomization.yaml")[..] else {
        panic!("one document")
    };
    assert_eq!(kustomization["images"][0]["newTag"], env!("CARGO_PKG_VERSION"));
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"');
    let dockerfile = read("Dockerfile");
    assert!(
        dockerfile.contains(&format!("/rust:{channel}-bookworm ")),
        "Dockerfile: another image than {channel}"
    );
    assert!(
        dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}\n")),
        "Dockerfile: another toolchain than {channel}"
    );
    // Tests and benchmarks read it from there (tests/it/support/operator.rs), one variable a line.
    assert!(
        dockerfile
            .rsplit("\nFROM ")
            .next()
            .unwrap()
            .contains("\nENV GLIBC_TUNABLES="),
        "Dockerfile: glibc keeps memory"
    );
    let [deployment] = &documents("deploy/base/deployment.yaml")[..] else {
        panic!("one document")
    };
    let user = &deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"];
    assert!(
        dockerfile.contains(&format!("USER {user}:{user}\n")),
        "Dockerfile: another user than {user}"
    );
}

/// The rights are written by hand; a resource that they forget would be found late, in a cluster with RBAC.
#[test]
fn rights_name_every_resource_of_the_group() {
    let mut kinds = BTreeSet::new();
    for entry in named(&root().join("crds/kustomization.yaml")) {
        let [crd] = &documents(&entry)[..] else {
            panic!("{}", entry.display())
        };
        kinds.insert(crd["spec"]["names"]["plural"].as_str().unwrap().to_owned());
        if crd["spec"]["versions"][0]["subresources"]["status"].is_object() {
            kinds.insert(format!("{}/status", crd["spec"]["names"]["plural"].as_str().unwrap()));
        }
    }
    let mut granted = BTreeSet::new();
    let role = &documents("deploy/base/controller-rights.yaml")[0];
    for rule in role["rules"].as_array().unwrap() {
        if rule["apiGroups"] == json!(["fairlead.dev"]) {
            granted.extend(
                rule["resources"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap().to_owned()),
            );
        }
    }
    granted.remove("helmreleases/finalizers");
    assert_eq!(granted, kinds);
}

//! Builds the Go module into the cache, once for its sources, and says how far it is.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::binaries::COMPONENTS;
use crate::progress::{Ticker, say};

/// What `go.mod` asks for.
pub(crate) const GO_VERSION: &str = "1.26";

/// The main package of Flux's helm-controller, which is also its module.
const HELM_CONTROLLER: &str = "github.com/fluxcd/helm-controller";

/// The file with the definition of Flux's HelmRelease.
pub(crate) const DEFINITIONS: &str = "helm.toolkit.fluxcd.io_helmreleases.yaml";

/// Builds that nothing used for this long are removed: each takes 220 MB.
const UNUSED: Duration = Duration::from_hours(14 * 24);

/// The programs that can be built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// All components.
    ControlPlane,
    /// What answers questions about Helm and Go; 80 MB, half a minute.
    Oracle,
    /// Only the supervisor, which builds within seconds and needs no modules.
    Supervisor,
    /// Helm alone, as its project builds it: the control plane's own starts slower, with all of Kubernetes in it.
    Helm,
    /// Prometheus' promtool; 54 MB. A module of its own.
    Promtool,
    /// The newest Helm 3; 79 MB. A module of its own.
    Helm3,
    /// Flux's helm-controller; 114 MB, with its resource definitions beside it. A module of its own.
    HelmController,
    /// Sigstore's cosign; 100 MB. A module of its own.
    Cosign,
    /// What signs without keys, with a Sigstore of its own; in cosign's module.
    Keyless,
}

/// The programs that are modules of their own.
const MODULES: [Program; 4] = [
    Program::Promtool,
    Program::Helm3,
    Program::HelmController,
    Program::Cosign,
];

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Oracle => "oracle",
            Self::Supervisor => "supervise",
            Self::Helm => "helm",
            Self::Promtool => "promtool",
            Self::Helm3 => "helm3",
            Self::HelmController => "helm-controller",
            Self::Cosign => "cosign",
            Self::Keyless => "keyless",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::ControlPlane => ".",
            Self::Oracle => "./cmd/oracle",
            Self::Supervisor => "./cmd/supervise",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
            Self::Helm3 => "helm.sh/helm/v3/cmd/helm",
            Self::HelmController => HELM_CONTROLLER,
            Self::Cosign => "github.com/sigstore/cosign/v3/cmd/cosign",
            Self::Keyless => "./keyless",
        }
    }

    /// The folder of the program's module, in the sources.
    fn module(self) -> &'static str {
        match self {
            Self::ControlPlane | Self::Oracle | Self::Supervisor | Self::Helm => "",
            Self::Promtool => "promtool",
            Self::Helm3 => "helm3",
            Self::HelmController => "flux",
            Self::Cosign | Self::Keyless => "cosign",
        }
    }

    fn tags(self) -> &'static str {
        match self {
            Self::ControlPlane
            | Self::Oracle
            | Self::Supervisor
            | Self::Helm
            | Self::Helm3
            | Self::HelmController
            | Self::Cosign
            | Self::Keyless => "",
            // Service discovery brings the clients of a dozen clouds.
            Self::Promtool => "remove_all_sd",
        }
    }

    /// Whether a source, by its path in the module, goes into the program.
    fn is_made_of(self, source: &Path) -> bool {
        let is_of_oracle = source.starts_with("cmd/oracle");
        let mut modules = MODULES.iter().map(|program| program.module());
        match modules.find(|module| source.starts_with(module)) {
            Some(module) if module == self.module() => return true,
            Some(_) => return false,
            None => {}
        }
        match self {
            Self::Promtool | Self::Helm3 | Self::HelmController | Self::Cosign | Self::Keyless => false,
            Self::ControlPlane | Self::Supervisor | Self::Helm => !is_of_oracle,
            Self::Oracle => {
                is_of_oracle || source.parent() == Some(Path::new("")) && source.extension() != Some("go".as_ref())
            }
        }
    }
}

/// Returns the folder with the program, which is built now unless one with the same sources is in the cache. Blocks.
pub(crate) fn build(program: Program) -> Result<PathBuf, Error> {
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let cache = cache()?.join(program.name());
    let folder = cache.join(digest(program, &sources)?);
    if is_there(&folder, program) {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).map_err(Error::io(format!("the cache folder {}", cache.display())))?;
    let _lock = lock(&cache)?;
    if is_there(&folder, program) {
        return Ok(folder); // another process built it meanwhile
    }
    remove_unused(&cache);
    let partial = tempfile::Builder::new().prefix("partial-").tempdir_in(&cache);
    let partial = partial.map_err(Error::io(format!("a folder in {}", cache.display())))?;
    compile(program, &sources, partial.path())?;
    match program {
        Program::ControlPlane => link(partial.path(), program, &COMPONENTS)?,
        // It tells the API server the name that it is called by.
        Program::Helm3 => link(partial.path(), program, &["helm"])?,
        Program::HelmController => copy_definitions(&sources, partial.path())?,
        Program::Oracle
        | Program::Supervisor
        | Program::Helm
        | Program::Promtool
        | Program::Cosign
        | Program::Keyless => {}
    }
    fs::rename(partial.path(), &folder).map_err(Error::io(format!("the build's folder {}", folder.display())))?;
    Ok(folder)
}

/// Fairlead's folder for what can be made again.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("FAIRLEAD_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("fairlead")))
        .or_else(|| Some(set("HOME")?.join(".cache/fairlead")))
        .ok_or(Error::NoCache)
}

fn is_there(folder: &Path, program: Program) -> bool {
    let there = folder.join(program.name()).is_file();
    if there {
        // The time of last use, for remove_unused; a cache that is read-only is not cleaned anyway.
        let _ = fs::write(folder.join("used"), []);
    }
    there
}

/// The name of a build: a digest of all that goes into it.
fn digest(program: Program, sources: &Path) -> Result<String, Error> {
    let mut files = Vec::new();
    let mut folders = vec![sources.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = || Error::io(format!("the control plane's sources in {}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() && path != sources.join("src") && path != sources.join("target") {
                folders.push(path);
            } else if matches!(extension, Some("go" | "mod" | "s" | "sum" | "yaml")) {
                files.push(path);
            }
        }
    }
    files.retain(|file| program.is_made_of(file.strip_prefix(sources).unwrap_or(file)));
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let content = fs::read(&file).map_err(Error::io(format!("the source {}", file.display())))?;
        let name = file.strip_prefix(sources).unwrap_or(&file).to_string_lossy();
        digest.update(format!("{name}\n{}\n", content.len()));
        digest.update(content);
    }
    let mut name = format!("{:x}", digest.finalize());
    name.truncate(16);
    Ok(name)
}

/// One process builds at a time; the system lets go of the lock when the process ends in any way.
fn lock(cache: &Path) -> Result<fs::File, Error> {
    let path = cache.join("lock");
    let failed = || Error::io(format!("the lock {}", path.display()));
    let file = fs::File::create(&path).map_err(failed())?;
    if file.try_lock().is_err() {
        let _ticker = Ticker::start(|| "waiting for another process, which is building the control plane".into());
        file.lock().map_err(failed())?;
    }
    Ok(file)
}

/// Whatever cannot be removed stays: the next build tries again.
fn remove_unused(cache: &Path) {
    let now = SystemTime::now();
    let unused = |path: &Path| {
        let used = fs::metadata(path.join("used"))
            .or_else(|_| fs::metadata(path))
            .and_then(|meta| meta.modified());
        used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > UNUSED))
    };
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.path().is_dir() && unused(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn compile(program: Program, sources: &Path, folder: &Path) -> Result<(), Error> {
    Command::new("go").arg("version").output().map_err(Error::GoMissing)?;
    match program {
        Program::ControlPlane => {
            say("building the test control plane with Go, once: one minute, or six if Go's cache is empty");
        }
        Program::Oracle => say("building the oracle with Go, once: half a minute, or three if Go's cache is empty"),
        Program::Helm => say("building Helm with Go, once: half a minute, or three if Go's cache is empty"),
        Program::Promtool => say("building promtool with Go, once: half a minute, or four if Go's cache is empty"),
        Program::Helm3 => say("building Helm 3 with Go, once: half a minute, or three if Go's cache is empty"),
        Program::HelmController => {
            say("building Flux's helm-controller with Go, once: half a minute, or five if Go's cache is empty");
        }
        Program::Keyless => {
            say("building the keyless signer with Go, once: half a minute, or three if Go's cache is empty");
        }
        Program::Cosign => say("building cosign with Go, once: half a minute, or three if Go's cache is empty"),
        Program::Supervisor => {}
    }
    let started = Instant::now();
    let mut command = Command::new("go");
    command.args([
        "build",
        "-v",
        "-tags",
        program.tags(),
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        &linker_flags(sources)?,
        "-o",
    ]);
    command.arg(folder.join(program.name())).arg(program.package());
    command
        .current_dir(sources.join(program.module()))
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::GoMissing)?;

    let output = Arc::new(Mutex::new(GoOutput::default()));
    let ticker = Ticker::start({
        let output = Arc::clone(&output);
        move || output.lock().unwrap_or_else(PoisonError::into_inner).state()
    });
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            output.lock().unwrap_or_else(PoisonError::into_inner).take(line);
        }
    }
    let status = child.wait().map_err(Error::io("waiting for `go build`"))?;
    drop(ticker);
    if !status.success() {
        let output = output.lock().unwrap_or_else(PoisonError::into_inner).end();
        return Err(Error::Build {
            sources: sources.to_owned(),
            status: status.to_string(),
            output,
        });
    }
    match program {
        Program::ControlPlane | Program::Helm3 | Program::HelmController => {
            say(&format!(
                "built {} in {} s",
                program.name(),
                started.elapsed().as_secs()
            ));
        }
        Program::Oracle
        | Program::Supervisor
        | Program::Helm
        | Program::Promtool
        | Program::Cosign
        | Program::Keyless => {}
    }
    Ok(())
}

/// Puts the definitions of helm-controller's resources, which its module has, beside it.
fn copy_definitions(sources: &Path, folder: &Path) -> Result<(), Error> {
    let mut command = Command::new("go");
    command.args(["list", "-m", "-f", "{{.Dir}}", HELM_CONTROLLER]);
    command
        .current_dir(sources.join(Program::HelmController.module()))
        .env("GOWORK", "off");
    let listed = command.output().map_err(Error::GoMissing)?;
    let module = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    let definitions = Path::new(&module).join("config/crd/bases").join(DEFINITIONS);
    // Modules are read-only, which a copy would be, too.
    let failed = || Error::io(format!("the resource definitions {}", definitions.display()));
    let content = fs::read(&definitions).map_err(failed())?;
    fs::write(folder.join(DEFINITIONS), content).map_err(failed())
}

/// Charts look at the server's version, and clients parse it; a plain build has `v0.0.0-master+$Format:%H$`.
fn linker_flags(sources: &Path) -> Result<String, Error> {
    let path = sources.join("go.mod");
    let content = fs::read_to_string(&path).map_err(Error::io(format!("the source {}", path.display())))?;
    let version = content
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .unwrap_or("0.0.0");
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
    let set = |name: &str, value: &str| format!(" -X k8s.io/component-base/version.{name}={value}");
    Ok(String::from("-s -w")
        + &set("gitVersion", &format!("v{version}"))
        + &set("gitMajor", major)
        + &set("gitMinor", minor)
        + &set("gitTreeState", "clean"))
}

/// Makes links to a program, which looks at the name that it is called by.
fn link(folder: &Path, program: Program, names: &[&str]) -> Result<(), Error> {
    for name in names {
        std::os::unix::fs::symlink(program.name(), folder.join(name))
            .map_err(Error::io(format!("the link {name} in {}", folder.display())))?;
    }
    Ok(())
}

/// What `go build -v` said so far: modules that it downloads, packages that it compiled, errors.
#[derive(Default)]
struct GoOutput {
    downloads: usize,
    packages: usize,
    last: VecDeque<String>,
}

impl GoOutput {
    const LINES: usize = 30;

    fn take(&mut self, line: String) {
        if line.starts_with("go: downloading ") {
            self.downloads += 1;
        } else if !line.contains(' ') {
            self.packages += 1;
        }
        if self.last.len() == Self::LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn state(&self) -> String {
        let Self {
            downloads,
            packages,
            last,
        } = self;
        let now = last.back().map_or("Go reads its cache or links", String::as_str);
        format!("{downloads} modules downloaded, {packages} packages compiled; {now}")
    }

    fn end(&self) -> String {
        self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_version_is_that_of_the_module() {
        let flags = linker_flags(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(
            flags.contains("gitVersion=v1.") && flags.contains("gitMajor=1 "),
            "{flags}"
        );
    }

    #[test]
    fn the_digest_depends_on_the_sources_and_only_on_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.go"), "package main").unwrap();
        let both = || [Program::ControlPlane, Program::Oracle].map(|program| digest(program, folder.path()).unwrap());
        let [before, oracle] = both();
        fs::write(folder.path().join("README.md"), "words").unwrap();
        assert_eq!(both(), [before.clone(), oracle.clone()]);
        fs::create_dir(folder.path().join("supervise")).unwrap();
        fs::write(folder.path().join("supervise/kwok.yaml"), "{}").unwrap();
        let [after, unchanged] = both();
        assert_ne!(after, before);
        assert_eq!(unchanged, oracle);
        fs::create_dir_all(folder.path().join("cmd/oracle")).unwrap();
        fs::write(folder.path().join("cmd/oracle/main.go"), "package main").unwrap();
        let [unchanged, changed] = both();
        assert_ne!(changed, oracle);
        assert_eq!(unchanged, after);
        fs::create_dir(folder.path().join("promtool")).unwrap();
        fs::write(folder.path().join("promtool/go.mod"), "module promtool").unwrap();
        fs::create_dir(folder.path().join("helm3")).unwrap();
        fs::write(folder.path().join("helm3/go.mod"), "module helm3").unwrap();
        assert_eq!(both(), [after, changed]);
    }

    #[test]
    fn progress_counts_what_go_says_and_keeps_the_end_for_an_error() {
        let mut output = GoOutput::default();
        for line in [
            "go: downloading k8s.io/api v0.37.2",
            "k8s.io/api/core/v1",
            "./main.go:1:1: syntax error",
        ] {
            output.take(line.into());
        }
        assert_eq!(
            output.state(),
            "1 modules downloaded, 1 packages compiled; ./main.go:1:1: syntax error"
        );
        assert!(output.end().ends_with("syntax error"));
    }
}

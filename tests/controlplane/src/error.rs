//! What can go wrong, and the way out of it.

use std::path::PathBuf;

/// Why there is no control plane, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane is built with Go, and there is none.
    #[error(
        "Go is needed to build the test control plane, but running `go version` failed: {0}. Install Go {version} or newer \
         (https://go.dev/dl/), or set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver, or FAIRLEAD_TEST_CONTEXT \
         to the kubeconfig context of a cluster that may be written to",
        version = crate::build::GO_VERSION
    )]
    GoMissing(std::io::Error),
    /// `go build` failed.
    #[error(
        "the test control plane in {sources} could not be built ({status}); it needs Go {version} or newer, and the network \
         for modules that are not in Go's cache yet. The end of the output:\n{output}",
        sources = .sources.display(), version = crate::build::GO_VERSION
    )]
    Build {
        /// The Go module.
        sources: PathBuf,
        /// How the build ended.
        status: String,
        /// The last lines that it printed.
        output: String,
    },
    /// There is no place for the built binary.
    #[error("there is no folder to keep the built control plane in: set FAIRLEAD_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// A file or a process cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A process that reports when it is ready ended, or reported nonsense.
    #[error("{program} did not become ready: {output}")]
    NotReady {
        /// The program.
        program: String,
        /// What it said.
        output: String,
    },
    /// There is no component of this name.
    #[error("there is no component {name:?}; there are {}", crate::binaries::COMPONENTS.join(", "))]
    UnknownComponent {
        /// The name that was asked for.
        name: String,
    },
    /// A command failed, and its caller wanted it to succeed.
    #[error("`{command}` ended with exit code {code}: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit code; -1 when a signal ended it.
        code: i32,
        /// Its standard error.
        stderr: String,
    },
    /// A command took too long and was killed.
    #[error("`{command}` did not end within {seconds} s")]
    CommandTimeout {
        /// The command line.
        command: String,
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The API server refused or could not be reached.
    #[error("{what}: {source}")]
    Api {
        /// What was asked of it.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// A condition was not met in time.
    #[error("{what} did not happen within {seconds} s")]
    Deadline {
        /// What was awaited.
        what: String,
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {path}: {source}", path = .path.display())]
    Kubeconfig {
        /// The file, or the default chain of files.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },
    /// The audit log was asked for, and this control plane writes none.
    #[error(
        "this control plane has no audit log: start it with `Options {{ audit: true, .. }}`; an existing cluster has none here"
    )]
    NoAuditLog,
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api {
            what,
            source: Box::new(source),
        }
    }
}

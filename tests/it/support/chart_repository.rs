//! A chart repository over HTTP. Helm itself packages the charts and makes the index.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use fairlead_controlplane::ControlPlane;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::Result;

/// Packages a chart of these files besides its Chart.yaml into a folder, as Helm does.
pub(crate) async fn package(
    control_plane: &ControlPlane,
    name: &str,
    version: &str,
    files: &[(&str, &str)],
    folder: &Path,
) -> Result<PathBuf> {
    let source = tempfile::tempdir()?;
    let chart = source.path().join(name);
    fs::create_dir(&chart)?;
    let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    fs::write(chart.join("Chart.yaml"), metadata)?;
    for (path, content) in files {
        let path = chart.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&chart))?;
        fs::write(path, content)?;
    }
    let destination = folder.display().to_string();
    let package = ["package", &chart.display().to_string(), "--destination", &destination];
    control_plane.helm(&package).await?.checked()?;
    Ok(folder.join(format!("{name}-{version}.tgz")))
}

/// Pushes a chart of these files to a registry, as Helm does.
pub(crate) async fn push(
    control_plane: &ControlPlane,
    name: &str,
    version: &str,
    files: &[(&str, &str)],
    registry: &str,
) -> Result {
    let folder = tempfile::tempdir()?;
    let archive = package(control_plane, name, version, files, folder.path()).await?;
    let push = ["push", &archive.display().to_string(), registry, "--plain-http"];
    control_plane.helm(&push).await?.checked()?;
    Ok(())
}

/// A repository with the charts that were added to it. It stops when it is dropped.
pub(crate) struct ChartRepository {
    control_plane: &'static ControlPlane,
    served: Arc<Served>,
    url: String,
    server: JoinHandle<std::io::Result<()>>,
}

struct Served {
    folder: TempDir,
    requests: Mutex<Vec<String>>,
}

impl ChartRepository {
    /// Serves a repository without charts.
    pub(crate) async fn start(control_plane: &'static ControlPlane) -> Result<Self> {
        let served = Arc::new(Served {
            folder: tempfile::tempdir()?,
            requests: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        let repository = Self {
            control_plane,
            served,
            url,
            server,
        };
        repository.index().await?;
        Ok(repository)
    }

    /// From now on nobody answers.
    pub(crate) fn goes_away(&self) {
        self.server.abort();
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The requests so far, such as `GET /index.yaml 200`, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.served
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds a chart of these files besides its Chart.yaml.
    pub(crate) async fn add(&self, name: &str, version: &str, files: &[(&str, &str)]) -> Result {
        package(self.control_plane, name, version, files, self.served.folder.path()).await?;
        self.index().await
    }

    /// Adds a packaged chart.
    #[expect(dead_code, reason = "for the tests of the operator")]
    pub(crate) async fn add_package(&self, package: &Path) -> Result {
        let name = package.file_name().ok_or("a package is a file")?;
        fs::copy(package, self.served.folder.path().join(name))?;
        self.index().await
    }

    /// Adds packaged charts.
    pub(crate) async fn add_packages(&self, packages: &[impl AsRef<Path>]) -> Result {
        for package in packages {
            let name = package.as_ref().file_name().ok_or("a package is a file")?;
            fs::copy(package, self.served.folder.path().join(name))?;
        }
        self.index().await
    }

    /// Serves a file as it is, in the place of one with the same name.
    pub(crate) fn put(&self, name: &str, content: &str) -> Result {
        Ok(fs::write(self.served.folder.path().join(name), content)?)
    }

    async fn index(&self) -> Result {
        let folder = self.served.folder.path().display().to_string();
        self.control_plane.helm(&["repo", "index", &folder]).await?.checked()?;
        Ok(())
    }
}

impl Drop for ChartRepository {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers with a file of the folder and its entity tag, as the usual servers of repositories do.
async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let name = head.uri.path().trim_start_matches('/');
    let file = Path::new(name).file_name().filter(|file| *file == name);
    let content = file.and_then(|file| fs::read(served.folder.path().join(file)).ok());
    let tag = content
        .as_ref()
        .map(|content| format!("\"{:x}\"", Sha256::digest(content)));
    let known = head
        .headers
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let (status, content) = match content {
        None => (StatusCode::NOT_FOUND, Vec::new()),
        Some(_) if tag.is_some() && tag.as_deref() == known => (StatusCode::NOT_MODIFIED, Vec::new()),
        Some(content) => (StatusCode::OK, content),
    };
    let line = format!("{} {} {}", head.method, head.uri.path(), status.as_u16());
    served
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    if let Some(tag) = tag.and_then(|tag| tag.parse().ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

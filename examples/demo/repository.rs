//! A chart repository: a folder of packaged charts with Helm's index, over HTTP. Any web server would do.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::DemoError;

/// A repository that serves its folder until it is dropped.
pub(crate) struct Repository {
    url: String,
    server: JoinHandle<std::io::Result<()>>,
}

impl Repository {
    /// Serves the folder on a free port.
    pub(crate) async fn serve(folder: PathBuf) -> Result<Self, DemoError> {
        let listening = || DemoError::io("listening for the chart repository");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(listening())?;
        let url = format!("http://{}", listener.local_addr().map_err(listening())?);
        let router = Router::new().fallback(answer).with_state(folder);
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, server })
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A chart of the world, if there is a folder of them.
pub(crate) struct RealChart {
    pub(crate) name: &'static str,
    /// Its package.
    pub(crate) from: PathBuf,
}

/// Copies a well-known chart to the folder, from `$FAIRLEAD_CORPUS` or `../shared/corpus`, when one of them is there.
pub(crate) async fn copy_real_chart(folder: &Path) -> Result<Option<RealChart>, DemoError> {
    const NAME: &str = "kube-state-metrics";
    let corpus = std::env::var_os("FAIRLEAD_CORPUS").map(PathBuf::from);
    let corpus = corpus.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    let charts = corpus.join("charts");
    if !charts.is_dir() {
        return Ok(None);
    }
    let reading = || DemoError::io(format!("reading {}", charts.display()));
    let mut entries = tokio::fs::read_dir(&charts).await.map_err(reading())?;
    while let Some(entry) = entries.next_entry().await.map_err(reading())? {
        // `<owner>__<repository>__<chart>-<version>.tgz`
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some((_, package)) = file
            .rsplit_once("__")
            .filter(|(owner, _)| owner.starts_with("prometheus-community"))
        else {
            continue;
        };
        if package.starts_with(NAME) {
            let from = entry.path();
            let to = folder.join(package);
            tokio::fs::copy(&from, &to)
                .await
                .map_err(DemoError::io(format!("copying {}", from.display())))?;
            return Ok(Some(RealChart { name: NAME, from }));
        }
    }
    Ok(None)
}

/// Answers with a file of the folder; nothing outside it can be named.
async fn answer(State(folder): State<PathBuf>, request: Request) -> Result<Vec<u8>, StatusCode> {
    let name = request.uri().path().trim_start_matches('/');
    let file = Path::new(name).file_name().filter(|file| *file == name);
    let path = folder.join(file.ok_or(StatusCode::NOT_FOUND)?);
    tokio::fs::read(path).await.map_err(|_| StatusCode::NOT_FOUND)
}

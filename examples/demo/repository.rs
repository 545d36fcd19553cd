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

/// Answers with a file of the folder; nothing outside it can be named.
async fn answer(State(folder): State<PathBuf>, request: Request) -> Result<Vec<u8>, StatusCode> {
    let name = request.uri().path().trim_start_matches('/');
    let file = Path::new(name).file_name().filter(|file| *file == name);
    let path = folder.join(file.ok_or(StatusCode::NOT_FOUND)?);
    tokio::fs::read(path).await.map_err(|_| StatusCode::NOT_FOUND)
}

//! Charts are found and fetched, and everything that can go wrong on the way is told apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use fairlead::source::{
    Access, Category, ChartContent, ChartReference, Credentials, Digest, Fetcher, FetcherOptions, HttpReference,
    Limits, OciReference, OciSelector, ResolvedChart, Secret, SourceError, Tls, UrlReference,
};
use fairlead_controlplane::{ControlPlane, Registry};

use crate::support::Result;
use crate::support::chart_repository::ChartRepository;

const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

async fn fetcher() -> Result<Fetcher> {
    fetcher_with(FetcherOptions::default()).await
}

async fn fetcher_with(options: FetcherOptions) -> Result<Fetcher> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only when there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Ok(Fetcher::open(options).await?)
}

fn access(credentials: Credentials) -> Access {
    Access {
        credentials,
        timeout: Duration::from_secs(20),
        ..Access::default()
    }
}

fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic {
        username: username.into(),
        password: Secret::new(password),
    }
}

fn http(url: &str, chart: &str, version: &str) -> HttpReference {
    HttpReference {
        url: url.into(),
        chart: chart.into(),
        version: version.into(),
        access: access(Credentials::Anonymous),
        pass_credentials: false,
        refresh: Duration::ZERO,
    }
}

async fn resolve_http(fetcher: &Fetcher, reference: HttpReference) -> std::result::Result<ResolvedChart, SourceError> {
    fetcher.resolve(&ChartReference::HttpRepository(reference)).await
}

fn oci(url: String, selector: OciSelector) -> OciReference {
    OciReference {
        url,
        selector,
        media_type: None,
        access: access(Credentials::Anonymous),
        insecure: true,
    }
}

async fn resolve_oci(fetcher: &Fetcher, reference: OciReference) -> std::result::Result<ResolvedChart, SourceError> {
    fetcher.resolve(&ChartReference::Oci(reference)).await
}

async fn archive(fetcher: &Fetcher, chart: &ResolvedChart) -> Result<Vec<u8>> {
    match fetcher.fetch(chart).await? {
        ChartContent::Archive(bytes) => Ok(bytes.to_vec()),
        ChartContent::Directory(files) => Err(format!("{} files instead of an archive", files.len()).into()),
    }
}

fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in files {
        let mut entry = tar::Header::new_gnu();
        entry.set_size(content.len() as u64);
        entry.set_mode(0o644);
        tar.append_data(&mut entry, path, content.as_bytes())
            .expect("a tar in memory");
    }
    tar.into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .expect("a tar in memory")
}

fn shop(version: &str) -> Vec<u8> {
    packed(&[(
        "shop/Chart.yaml",
        &format!("apiVersion: v2\nname: shop\nversion: {version}\n"),
    )])
}

/// An HTTP server that answers as it is told to.
struct Server {
    url: String,
    state: Arc<Mutex<ServerState>>,
}

#[derive(Default)]
struct ServerState {
    replies: HashMap<String, Reply>,
    requests: Vec<(String, Option<String>)>,
}

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
    /// The login that it wants; everybody else gets a 401 with these headers.
    login: Option<String>,
}

impl Server {
    async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::<Mutex<ServerState>>::default();
        let router = Router::new().fallback(reply).with_state(state.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self { url, state })
    }

    fn reply(&self, path: &str, status: u16, headers: &[(HeaderName, &str)], body: impl Into<Vec<u8>>) {
        self.reply_to(None, path, status, headers, body);
    }

    fn reply_to(
        &self,
        login: Option<&str>,
        path: &str,
        status: u16,
        headers: &[(HeaderName, &str)],
        body: impl Into<Vec<u8>>,
    ) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), (*value).to_owned()))
            .collect();
        let reply = Reply {
            status,
            headers,
            body: body.into(),
            login: login.map(str::to_owned),
        };
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replies
            .insert(path.into(), reply);
    }

    fn index(&self, entries: &str) {
        self.reply(
            "/index.yaml",
            200,
            &[],
            format!("apiVersion: v1\nentries:\n  shop:\n{entries}"),
        );
    }

    /// The requests since the last call: path and login.
    fn requests(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).requests)
    }
}

async fn reply(State(state): State<Arc<Mutex<ServerState>>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let login = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|login| login.to_str().ok())
        .map(str::to_owned);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let reply = state.replies.get(&path).cloned();
    state.requests.push((path, login.clone()));
    let mut response = Response::new(Body::empty());
    let Some(reply) = reply else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    for (name, value) in &reply.headers {
        response
            .headers_mut()
            .append(name, HeaderValue::from_str(value).expect("a header"));
    }
    if reply.login.is_some() && reply.login != login {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return response;
    }
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("a status");
    // Streamed, so that no length is announced.
    *response.body_mut() = Body::from_stream(futures::stream::iter(
        reply
            .body
            .chunks(1 << 16)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    ));
    response
}

#[tokio::test]
async fn a_repository_made_by_helm_is_read_once() -> Result {
    let repository = ChartRepository::start(ControlPlane::shared().await?).await?;
    for version in ["1.0.0", "1.1.0", "1.10.0", "2.0.0-rc.1"] {
        repository.add("shop", version, &[]).await?;
    }
    let fetcher = fetcher().await?;
    for (wanted, found) in [
        ("", "1.10.0"),
        ("*", "1.10.0"),
        ("~1.1", "1.1.0"),
        (">=1 <1.5", "1.1.0"),
        ("v1.0.0", "1.0.0"),
        (">0.0.0-0", "2.0.0-rc.1"),
    ] {
        let chart = resolve_http(&fetcher, http(repository.url(), "shop", wanted)).await?;
        assert_eq!(
            (chart.name.as_str(), chart.version.as_str()),
            ("shop", found),
            "{wanted:?}"
        );
    }
    let asked = repository.requests();
    assert_eq!(asked[0], "GET /index.yaml 200");
    assert!(
        asked[1..].iter().all(|request| request == "GET /index.yaml 304"),
        "{asked:?}"
    );

    let mut kept = http(repository.url(), "shop", "1.1.0");
    kept.refresh = Duration::from_hours(1);
    let chart = resolve_http(&fetcher, kept).await?;
    assert_eq!(repository.requests().len(), asked.len(), "the index is fresh");

    let all = futures::future::join_all((0..8).map(|_| archive(&fetcher, &chart))).await;
    let first = archive(&fetcher, &chart).await?;
    assert_eq!(Digest::of(&first), chart.digest);
    assert!(all.into_iter().all(|one| one.is_ok_and(|one| one == first)));
    let downloads = repository
        .requests()
        .iter()
        .filter(|request| request.ends_with("shop-1.1.0.tgz 200"))
        .count();
    assert_eq!(downloads, 1);
    Ok(())
}

#[tokio::test]
async fn what_is_missing_in_a_repository_is_named() -> Result {
    let server = Server::start().await?;
    server.index("    - {name: shop, version: 1.0.0, urls: [gone.tgz], digest: '0000000000000000000000000000000000000000000000000000000000000000'}\n    - {name: shop, version: 2.0.0, urls: []}\n    - {name: shop, version: 2.1.0, urls: [x.tgz], digest: odd}\n    - {name: shop, version: 2.2.0, urls: ['file:///etc/passwd']}\n");
    let fetcher = fetcher().await?;
    let mut messages = Vec::new();
    for (chart, version) in [
        ("shops", ""),
        ("shop", "9.x"),
        ("shop", "0.9.0"),
        ("shop", "latest"),
        ("shop", "2.0.0"),
        ("shop", "2.1.0"),
        ("shop", "2.2.0"),
    ] {
        let error = resolve_http(&fetcher, http(&server.url, chart, version))
            .await
            .unwrap_err();
        assert!(!error.is_retryable());
        messages.push(format!("{:?}: {error}", error.category()));
    }
    let chart = resolve_http(&fetcher, http(&server.url, "shop", "1.0.0")).await?;
    messages.push(fetcher.fetch(&chart).await.unwrap_err().to_string());
    let nowhere = format!("{}/nowhere", server.url);
    messages.push(
        resolve_http(&fetcher, http(&nowhere, "shop", ""))
            .await
            .unwrap_err()
            .to_string(),
    );
    insta::assert_snapshot!(messages.join("\n").replace(&server.url, "URL"), @r#"
    NotFound: repository URL/ has no chart shops. It has: shop
    NotFound: repository URL/ has no version of chart shop that matches "9.x"; available: 2.2.0, 2.1.0, 2.0.0, 1.0.0
    NotFound: repository URL/ has no version of chart shop that matches "0.9.0"; available: 2.2.0, 2.1.0, 2.0.0, 1.0.0
    Configuration: version "latest" of chart shop is neither a version nor a range: improper constraint: "latest"; write for example 1.2.3, 1.2.x or ">=1.2 <2"
    NotFound: repository URL/ names no archive of chart shop 2.0.0: its index entry has no URL
    Content: the index of chart repository URL/ gives chart shop 2.1.0 the digest "odd", which is not a SHA-256 digest
    Configuration: file:///etc/passwd cannot be used as a chart source: its scheme is file, not http, https or oci
    URL/gone.tgz of chart shop 1.0.0 is missing on the server; the repository's index or tag is out of date
    no chart repository at URL/nowhere/index.yaml: the server answered 404; check the URL
    "#);
    Ok(())
}

#[tokio::test]
async fn trouble_with_a_server_is_told_apart() -> Result {
    let server = Server::start().await?;
    let fetcher = fetcher_with(FetcherOptions {
        limits: Limits {
            index: 1 << 20,
            archive: 1 << 20,
            ..Limits::default()
        },
        ..FetcherOptions::default()
    })
    .await?;
    let trouble = async || resolve_http(&fetcher, http(&server.url, "shop", "")).await.unwrap_err();
    server.reply("/index.yaml", 200, &[], "<html>\n<body>");
    assert_eq!(trouble().await.category(), Category::Content);
    server.reply("/index.yaml", 200, &[], "apiVersion: v1\nentries:\n  shop: [\n");
    let SourceError::BrokenIndex { url, line, reason: _ } = trouble().await else {
        panic!("not a broken index")
    };
    assert_eq!(url, format!("{}/index.yaml", server.url));
    assert!((3..=4).contains(&line), "line {line}");
    server.reply("/index.yaml", 200, &[], vec![b'#'; (1 << 20) + 1]);
    assert!(matches!(
        trouble().await,
        SourceError::TooLarge { limit: 0x10_0000, .. }
    ));
    server.reply("/index.yaml", 503, &[], "");
    let error = trouble().await;
    assert!(matches!(error, SourceError::Status { status: 503, .. }) && error.is_retryable());
    server.reply("/index.yaml", 302, &[(header::LOCATION, "/index.yaml")], "");
    assert_eq!(
        trouble().await.to_string(),
        format!("{}/index.yaml redirects more than 10 times", server.url)
    );
    assert_eq!(server.requests().len(), 4 + 11);
    let mut slow = http("http://127.0.0.1:9", "shop", "");
    let error = resolve_http(&fetcher, slow.clone()).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Unreachable { .. }) && error.is_retryable(),
        "{error}"
    );

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    slow.url = format!("http://{}", listener.local_addr()?);
    slow.access.timeout = Duration::from_millis(50);
    let error = resolve_http(&fetcher, slow).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Timeout { .. }) && error.is_retryable(),
        "{error}"
    );

    let mut tls = http("https://127.0.0.1:9", "shop", "");
    tls.access.tls = Tls {
        certificate_authorities: Some(b"nonsense".to_vec()),
        ..Tls::default()
    };
    let error = resolve_http(&fetcher, tls).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the CA bundle for https://127.0.0.1:9/index.yaml cannot be used"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn only_the_promised_chart_is_accepted() -> Result {
    let server = Server::start().await?;
    let (good, other) = (shop("1.0.0"), packed(&[("readme.txt", "no chart")]));
    let entry = |version: &str, file: &str, bytes: &[u8]| {
        let digest = Digest::of(bytes);
        format!("    - {{name: shop, version: {version}, urls: [{file}], digest: '{digest}'}}\n")
    };
    let html = b"<html>please log in</html>".to_vec();
    let large = vec![0; (1 << 20) + 1];
    let unpromised = "    - {name: shop, version: 5.0.0, urls: [unpromised.tgz]}\n";
    server.index(
        &[
            entry("1.0.0", "good.tgz", &shop("1.0.1")),
            entry("2.0.0", "other.tgz", &other),
            entry("3.0.0", "login.tgz", &html),
            entry("4.0.0", "large.tgz", &large),
            unpromised.to_owned(),
        ]
        .concat(),
    );
    for (file, bytes) in [
        ("/good.tgz", good.clone()),
        ("/other.tgz", other),
        ("/login.tgz", html),
        ("/large.tgz", large),
    ] {
        server.reply(file, 200, &[], bytes);
    }
    server.reply("/unpromised.tgz", 200, &[(header::ETAG, "\"1\"")], good.clone());
    let fetcher = fetcher_with(FetcherOptions {
        limits: Limits {
            archive: 1 << 20,
            ..Limits::default()
        },
        ..FetcherOptions::default()
    })
    .await?;
    let mut messages = Vec::new();
    for version in ["1.0.0", "2.0.0", "3.0.0", "4.0.0"] {
        let chart = resolve_http(&fetcher, http(&server.url, "shop", version)).await?;
        let error = fetcher.fetch(&chart).await.unwrap_err();
        messages.push(format!("{:?}: {error}", error.category()));
    }
    insta::assert_snapshot!(messages.join("\n").replace(&server.url, "URL").replace(&Digest::of(&good).to_string(), "DIGEST")
            .replace(&Digest::of(&shop("1.0.1")).to_string(), "PROMISED"), @r#"
    Integrity: URL/good.tgz has the digest DIGEST, expected PROMISED: it was changed after it was published, or on the way
    Content: URL/other.tgz is not a packed chart: it has no Chart.yaml in its top folder
    Content: URL/login.tgz is not a packed chart: it is not gzip-compressed, it starts with "<html>please log in</html>"
    TooLarge: URL/large.tgz is larger than the limit of 1048576 bytes
    "#);

    // Without a promise, what comes is taken, and asked for again only conditionally.
    let chart = resolve_http(&fetcher, http(&server.url, "shop", "5.0.0")).await?;
    assert_eq!(chart.digest, Digest::of(&good));
    server.requests();
    server.reply("/unpromised.tgz", 304, &[], "");
    let again = resolve_http(&fetcher, http(&server.url, "shop", "5.0.0")).await?;
    assert_eq!(archive(&fetcher, &again).await?, good);
    assert_eq!(server.requests().len(), 2);
    server.reply("/direct.tgz", 200, &[], good.clone());
    let url = UrlReference {
        url: format!("{}/direct.tgz", server.url),
        access: Access::default(),
    };
    let chart = fetcher.resolve(&ChartReference::Url(url)).await?;
    assert_eq!(
        (chart.name.as_str(), chart.version.as_str(), chart.digest),
        ("shop", "1.0.0", Digest::of(&good))
    );
    Ok(())
}

#[tokio::test]
async fn credentials_go_only_where_they_belong() -> Result {
    let (server, elsewhere) = (Server::start().await?, Server::start().await?);
    let login = "Basic bWU6aHVudGVyMg==";
    let index = format!(
        "apiVersion: v1\nentries:\n  shop:\n    - {{name: shop, version: 1.0.0, urls: ['{}/shop.tgz']}}\n    - {{name: shop, version: 0.1.0, urls: [shop.tgz]}}\n",
        elsewhere.url
    );
    server.reply_to(Some(login), "/index.yaml", 200, &[], index);
    server.reply_to(Some(login), "/shop.tgz", 200, &[], shop("0.1.0"));
    elsewhere.reply("/shop.tgz", 200, &[], shop("1.0.0"));
    let fetcher = fetcher().await?;

    let error = resolve_http(&fetcher, http(&server.url, "shop", "")).await.unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::Unauthorized {
                status: 401,
                credentials: false,
                ..
            }
        ),
        "{error}"
    );
    let mut reference = http(&server.url, "shop", "");
    reference.access = access(basic("me", "wrong-hunter2"));
    let error = resolve_http(&fetcher, reference.clone()).await.unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::Unauthorized {
                status: 401,
                credentials: true,
                ..
            }
        ),
        "{error}"
    );
    assert!(!format!("{error} {error:?} {reference:?}").contains("hunter2"));

    reference.access = access(basic("me", "hunter2"));
    let chart = resolve_http(&fetcher, reference.clone()).await?;
    assert!(!format!("{chart:?}").contains("hunter2"));
    assert_eq!(elsewhere.requests(), [("/shop.tgz".to_owned(), None)]);
    reference.pass_credentials = true;
    resolve_http(&fetcher, reference.clone()).await?;
    assert_eq!(elsewhere.requests(), [("/shop.tgz".to_owned(), Some(login.to_owned()))]);
    reference.version = "0.1.0".into();
    reference.pass_credentials = false;
    resolve_http(&fetcher, reference).await?;

    // A login in the URL is used, but never shown; a fresh index of one login is not another's.
    let mut inline = http(&server.url.replace("http://", "http://me:hunter2@"), "shop", "0.1.0");
    inline.refresh = Duration::from_hours(1);
    let chart = resolve_http(&fetcher, inline).await?;
    assert!(!chart.url.contains("hunter2"));
    let mut anonymous = http(&server.url, "shop", "0.1.0");
    anonymous.refresh = Duration::from_hours(1);
    assert!(resolve_http(&fetcher, anonymous).await.is_err());
    Ok(())
}

#[tokio::test]
async fn local_charts_are_read() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.tgz");
    std::fs::write(&path, shop("1.0.0"))?;
    let fetcher = fetcher().await?;
    let chart = fetcher.resolve(&ChartReference::Archive(path.clone())).await?;
    assert_eq!((chart.name.as_str(), chart.version.as_str()), ("shop", "1.0.0"));
    assert_eq!(archive(&fetcher, &chart).await?, shop("1.0.0"));
    std::fs::write(&path, shop("1.0.1"))?;
    assert_eq!(fetcher.fetch(&chart).await.unwrap_err().category(), Category::Integrity);

    let directory = folder.path().join("shop");
    std::fs::create_dir_all(directory.join("templates"))?;
    std::fs::create_dir_all(directory.join(".git/objects"))?;
    std::fs::write(directory.join("templates/a.yaml"), "a: 1\n")?;
    // More than a directory may hold; it takes no room on the disk.
    std::fs::File::create(directory.join(".git/objects/large"))?.set_len((100 << 20) + 1)?;
    let refused = async || {
        let reference = ChartReference::Directory(directory.clone());
        fetcher.resolve(&reference).await.unwrap_err()
    };
    let error = refused().await;
    assert_eq!(error.category(), Category::Local);
    assert!(
        error.to_string().ends_with("Chart.yaml: no such file or directory"),
        "{error}"
    );
    std::fs::write(
        directory.join("Chart.yaml"),
        "apiVersion: v2\nname: shop\nversion: 3.0.0\n",
    )?;
    assert_eq!(refused().await.category(), Category::TooLarge);
    std::fs::write(directory.join(".helmignore"), "**\n")?;
    let error = refused().await;
    assert!(
        error
            .to_string()
            .starts_with("double-star (**) syntax is not supported\n"),
        "{error}"
    );
    std::fs::write(directory.join(".helmignore"), ".git/\n.helmignore\n")?;
    let chart = fetcher.resolve(&ChartReference::Directory(directory.clone())).await?;
    assert_eq!(chart.version, "3.0.0");
    let ChartContent::Directory(files) = fetcher.fetch(&chart).await? else {
        panic!("no directory")
    };
    assert_eq!(
        files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        ["Chart.yaml", "templates/a.yaml"]
    );
    let missing = fetcher
        .resolve(&ChartReference::Directory(folder.path().join("none")))
        .await
        .unwrap_err();
    assert_eq!(missing.category(), Category::Local);
    Ok(())
}

/// Packs and pushes a chart with Helm.
async fn push(control_plane: &ControlPlane, registry: &Registry, version: &str) -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.tgz");
    std::fs::write(&path, shop(version))?;
    let path = path.display().to_string();
    control_plane
        .helm(&["push", &path, &registry.url("charts"), "--plain-http"])
        .await?
        .checked()?;
    Ok(())
}

#[tokio::test]
async fn charts_that_helm_pushed_are_pulled() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let registry = control_plane.start_registry().await?;
    for version in ["1.0.0", "1.1.0", "1.2.0+build.7", "2.0.0-rc.1"] {
        push(control_plane, &registry, version).await?;
    }
    let fetcher = fetcher().await?;
    let url = registry.url("charts/shop");
    let version = |text: &str| OciSelector::Version(text.to_owned());
    let range = |range: &str, filter: Option<&str>| OciSelector::Range {
        range: range.to_owned(),
        filter: filter.map(str::to_owned),
    };
    for (selector, found) in [
        (version(""), "1.2.0+build.7"),
        (version("1.0.0"), "1.0.0"),
        (version("~1.1"), "1.1.0"),
        (version("1.2.0+build.7"), "1.2.0+build.7"),
        (version(">0-0"), "2.0.0-rc.1"),
        (OciSelector::Tag("1.2.0_build.7".to_owned()), "1.2.0+build.7"),
        (range(">=1.0.0-0", None), "2.0.0-rc.1"),
        (range("*", Some("^1\\.[01]\\.")), "1.1.0"),
    ] {
        let chart = resolve_oci(&fetcher, oci(url.clone(), selector.clone())).await?;
        assert_eq!(
            (chart.name.as_str(), chart.version.as_str()),
            ("shop", found),
            "{selector:?}"
        );
        assert_eq!(archive(&fetcher, &chart).await?, shop(found));
        let pinned = OciSelector::Digest(chart.manifest_digest.ok_or("no manifest digest")?);
        let pinned = resolve_oci(&fetcher, oci(url.clone(), pinned)).await?;
        assert_eq!((pinned.version.as_str(), pinned.digest), (found, chart.digest));
    }

    let mut messages = Vec::new();
    for (url, selector) in [
        (&url, version("3.0.0")),
        (&url, version("^4")),
        (&url, version("one")),
        (&url, OciSelector::Tag("latest".to_owned())),
        (&url, OciSelector::Digest(Digest::of(b""))),
        (&url, range("*", Some("["))),
        (&registry.url("charts/none"), version("1.0.0")),
        (&registry.url("charts/none"), version("")),
    ] {
        let error = resolve_oci(&fetcher, oci(url.clone(), selector)).await.unwrap_err();
        messages.push(format!("{:?}: {error}", error.category()));
    }
    insta::assert_snapshot!(messages.join("\n").replace(registry.address(), "REGISTRY"), @r#"
    NotFound: repository oci://REGISTRY/charts/shop has no version of chart shop that matches "3.0.0"; available: 2.0.0-rc.1, 1.2.0+build.7, 1.1.0, 1.0.0
    NotFound: repository oci://REGISTRY/charts/shop has no version of chart shop that matches "^4"; available: 2.0.0-rc.1, 1.2.0+build.7, 1.1.0, 1.0.0
    Configuration: version "one" of chart shop is neither a version nor a range: improper constraint: "one"; write for example 1.2.3, 1.2.x or ">=1.2 <2"
    NotFound: repository oci://REGISTRY/charts/shop has no version of chart shop that matches "latest"; available: 2.0.0-rc.1, 1.2.0+build.7, 1.1.0, 1.0.0
    NotFound: repository oci://REGISTRY/charts/shop has no version of chart shop that matches "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; available: 2.0.0-rc.1, 1.2.0+build.7, 1.1.0, 1.0.0
    Configuration: the tag filter "[" is not a regular expression: error parsing regexp: missing closing ]: `[`
    NotFound: repository oci://REGISTRY/charts/none has no chart none
    NotFound: repository oci://REGISTRY/charts/none has no chart none
    "#);
    let error = resolve_oci(&fetcher, oci("oci://127.0.0.1:9/charts/shop".into(), version("")))
        .await
        .unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_registry_that_wants_a_login_gets_it() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let registry = control_plane.start_registry_with_user("me", "hunter2").await?;
    let fetcher = fetcher().await?;
    let try_with = async |credentials| {
        let mut reference = oci(registry.url("charts/shop"), OciSelector::Version("1.0.0".to_owned()));
        reference.access = access(credentials);
        resolve_oci(&fetcher, reference).await.unwrap_err()
    };
    let error = try_with(Credentials::Anonymous).await;
    assert!(
        matches!(error, SourceError::Unauthorized { credentials: false, .. }),
        "{error}"
    );
    let error = try_with(basic("me", "wrong")).await;
    assert!(
        matches!(error, SourceError::Unauthorized { credentials: true, .. }),
        "{error}"
    );
    // The right login is let in, and finds that there is no such chart.
    let error = try_with(basic("me", "hunter2")).await;
    assert!(matches!(error, SourceError::ChartNotFound { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_hostile_registry_does_no_harm() -> Result {
    let server = Server::start().await?;
    let registry = server.url.replace("http://", "oci://");
    let fetcher = fetcher_with(FetcherOptions {
        limits: Limits {
            manifest: 1 << 16,
            archive: 1 << 16,
            tags: 10,
            ..Limits::default()
        },
        ..FetcherOptions::default()
    })
    .await?;
    let trouble = async |version: &str| {
        let mut reference = oci(format!("{registry}/shop"), OciSelector::Version(version.to_owned()));
        reference.access = access(basic("me", "hunter2"));
        let chart = match resolve_oci(&fetcher, reference).await {
            Ok(chart) => chart,
            Err(error) => return error,
        };
        fetcher.fetch(&chart).await.unwrap_err()
    };
    let manifest = |layer: Digest, media_type: &str| {
        format!(
            r#"{{"schemaVersion": 2, "layers": [{{"mediaType": "{media_type}", "digest": "{layer}", "size": 1}}]}}"#
        )
    };
    server.reply("/v2/shop/manifests/1.0.0", 200, &[], vec![b' '; (1 << 16) + 1]);
    assert!(matches!(trouble("1.0.0").await, SourceError::TooLarge { .. }));
    server.reply("/v2/shop/manifests/1.0.0", 200, &[], "[]");
    assert!(matches!(trouble("1.0.0").await, SourceError::BrokenManifest { .. }));
    server.reply(
        "/v2/shop/manifests/1.0.0",
        200,
        &[],
        manifest(Digest::of(b""), "text/plain"),
    );
    assert!(
        trouble("1.0.0")
            .await
            .to_string()
            .ends_with("no layer of type application/vnd.cncf.helm.chart.content.v1.tar+gzip, but text/plain")
    );

    // The manifest lies about the size; the blob is not what its digest says.
    let layer = Digest::of(b"promised");
    server.reply("/v2/shop/manifests/1.0.0", 200, &[], manifest(layer, CHART_LAYER));
    server.reply(&format!("/v2/shop/blobs/{layer}"), 200, &[], vec![0; (1 << 16) + 1]);
    assert!(matches!(trouble("1.0.0").await, SourceError::TooLarge { .. }));
    server.reply(&format!("/v2/shop/blobs/{layer}"), 200, &[], "delivered");
    assert!(matches!(trouble("1.0.0").await, SourceError::DigestMismatch { .. }));
    server.reply(
        "/v2/shop/manifests/1.0.0",
        200,
        &[],
        manifest(Digest::of(b"nowhere"), CHART_LAYER),
    );
    assert!(matches!(trouble("1.0.0").await, SourceError::ArchiveMissing { .. }));

    let many: Vec<_> = (0..11).map(|tag| format!("1.{tag}.0")).collect();
    server.reply(
        "/v2/shop/tags/list",
        200,
        &[],
        serde_json::json!({"tags": many}).to_string(),
    );
    assert!(matches!(trouble("1.x").await, SourceError::TooMany { .. }));
    let away = (header::LINK, "<http://127.0.0.2:1/v2/shop/tags/list>; rel=\"next\"");
    server.reply("/v2/shop/tags/list", 200, &[away], r#"{"tags": ["1.0.0"]}"#);
    assert!(matches!(trouble("1.x").await, SourceError::Protocol { .. }));
    let around = (header::LINK, "</v2/shop/tags/list>; rel=\"next\"");
    server.reply("/v2/shop/tags/list", 200, &[around], r#"{"tags": ["1.0.0"]}"#);
    assert!(matches!(trouble("1.x").await, SourceError::TooMany { .. }));
    Ok(())
}

#[tokio::test]
async fn tokens_are_asked_for_and_checked() -> Result {
    let server = Server::start().await?;
    let registry = server.url.replace("http://", "oci://");
    let fetcher = fetcher_with(FetcherOptions::default()).await?;
    let trouble = async || {
        let mut reference = oci(format!("{registry}/shop"), OciSelector::Version("2.0.0".to_owned()));
        reference.access = access(basic("me", "hunter2"));
        match resolve_oci(&fetcher, reference).await {
            Ok(chart) => fetcher.fetch(&chart).await.unwrap_err(),
            Err(error) => error,
        }
    };

    // The password goes to the token server only.
    let challenge = format!("Bearer realm=\"{}/token\",service=\"it\"", server.url);
    let challenge = (header::WWW_AUTHENTICATE, challenge.as_str());
    server.reply_to(
        Some("Bearer good"),
        "/v2/shop/manifests/2.0.0",
        200,
        std::slice::from_ref(&challenge),
        "[]",
    );
    server.reply("/token", 200, &[], r#"{"access_token": "good"}"#);
    assert!(matches!(trouble().await, SourceError::BrokenManifest { .. }));
    let (manifest_path, login) = (
        "/v2/shop/manifests/2.0.0".to_owned(),
        "Basic bWU6aHVudGVyMg==".to_owned(),
    );
    assert_eq!(
        server.requests(),
        [
            (manifest_path.clone(), None),
            ("/token".to_owned(), Some(login)),
            (manifest_path, Some("Bearer good".to_owned())),
        ]
    );

    // A token that is no header is refused.
    server.reply_to(
        Some("Bearer other"),
        "/v2/shop/manifests/2.0.0",
        200,
        &[challenge],
        "[]",
    );
    server.reply("/token", 200, &[], r#"{"token": "good\r\nx-evil: 1"}"#);
    let error = trouble().await;
    assert!(matches!(error, SourceError::InvalidCredentials { .. }), "{error}");
    assert!(!error.to_string().contains("evil"));
    Ok(())
}

//! URLs as dictionaries of their parts.

use super::{message, nil_dereference};
use crate::go::url::Url;
use crate::template::error::FunctionError;
use crate::template::function::{Function, function};
use crate::template::value::{Map, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("urlParse", url_parse, (&Text) -> Result<Map>),
    function!("urlJoin", url_join, (&Map) -> Result<Vec<u8>>),
];

fn url_parse(text: &Text) -> Result<Map> {
    let url = Url::parse(text).map_err(|error| message(format!("unable to parse url: {error}")))?;
    let hostname = url.hostname().to_vec();
    let user_info = url.user_info();
    let Url {
        scheme,
        opaque,
        user: _,
        host,
        path,
        query,
        fragment,
    } = url;
    let parts = [
        ("scheme", scheme),
        ("host", host),
        ("hostname", hostname),
        ("path", path),
        ("query", query),
        ("opaque", opaque),
        ("fragment", fragment),
        ("userinfo", user_info),
    ];
    Ok(parts.into_iter().map(|(name, part)| (name, Text::from(part))).collect())
}

fn url_join(parts: &Map) -> Result<Vec<u8>> {
    let part = |name: &str| match parts.get(name.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.to_vec()),
        Some(Value::Nil) => Err(nil_dereference()),
        Some(other) => {
            let kind = other.kind().name();
            Err(message(format!(
                "unable to parse {name} key, must be of type string, but {kind} found"
            )))
        }
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let user_info = part("userinfo")?;
    if !user_info.is_empty() {
        let carrier = [b"proto://", user_info.as_slice(), b"@host"].concat();
        let parsed = Url::parse(&carrier);
        url.user = parsed
            .map_err(|error| message(format!("unable to parse userinfo in dict: {error}")))?
            .user;
    }
    Ok(url.to_bytes())
}

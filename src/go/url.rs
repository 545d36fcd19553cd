//! Go's `net/url`: reading and writing URLs with its escaping rules and error texts.

use super::strconv;

/// Where a character stands in a URL: what must be escaped depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    UserInfo,
    Host,
    Zone,
    Fragment,
}

/// What Go says about a text that is no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {reason}", quoted(.url))]
pub struct UrlError {
    /// The text.
    pub url: Vec<u8>,
    /// Go's words.
    pub reason: String,
}

/// A URL in its parts, unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In small letters, without the colon.
    pub scheme: Vec<u8>,
    /// What follows the scheme when that is no path.
    pub opaque: Vec<u8>,
    /// User name and, if there is one, password.
    pub user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// With the port.
    pub host: Vec<u8>,
    /// Unescaped.
    pub path: Vec<u8>,
    /// Without the `?`, as it stood.
    pub query: Vec<u8>,
    /// Unescaped, without the `#`.
    pub fragment: Vec<u8>,
}

impl Url {
    /// `url.Parse`.
    pub fn parse(text: &[u8]) -> Result<Self, UrlError> {
        let (before, fragment) = cut(text, b"#").unwrap_or((text, b""));
        let fail = |url: &[u8], reason| UrlError {
            url: url.to_vec(),
            reason,
        };
        let mut url = Self::parse_without_fragment(before).map_err(|reason| fail(before, reason))?;
        url.fragment = unescape(fragment, Place::Fragment).map_err(|reason| fail(text, reason))?;
        Ok(url)
    }

    fn parse_without_fragment(text: &[u8]) -> Result<Self, String> {
        if text.iter().any(|&byte| byte < b' ' || byte == 0x7F) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = cut(rest, b"?").unwrap_or((rest, b""));
        url.query = query.to_vec();
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            let segment = cut(rest, b"/").map_or(rest, |(segment, _)| segment);
            if segment.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_authority = rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///"));
        if has_authority {
            let slash = rest[2..]
                .iter()
                .position(|&byte| byte == b'/')
                .map_or(rest.len(), |at| at + 2);
            url.read_authority(&rest[2..slash])?;
            rest = &rest[slash..];
        }
        url.path = unescape(rest, Place::Path)?;
        Ok(url)
    }

    fn read_authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let Some(at) = authority.iter().rposition(|&byte| byte == b'@') else {
            self.host = parse_host(&self.scheme, authority)?;
            return Ok(());
        };
        self.host = parse_host(&self.scheme, &authority[at + 1..])?;
        let info = &authority[..at];
        if !info
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte))
        {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match cut(info, b":") {
            Some((name, password)) => (name, Some(unescape(password, Place::UserInfo)?)),
            None => (info, None),
        };
        self.user = Some((unescape(name, Place::UserInfo)?, password));
        Ok(())
    }

    /// `Hostname`: without the port and without the brackets of an IPv6 address.
    pub fn hostname(&self) -> &[u8] {
        let colon = self.host.iter().rposition(|&byte| byte == b':');
        let host = match colon {
            Some(at) if valid_port(&self.host[at..]) => &self.host[..at],
            _ => &self.host,
        };
        host.strip_prefix(b"[")
            .and_then(|inner| inner.strip_suffix(b"]"))
            .unwrap_or(host)
    }

    /// `User.String`; empty without a user.
    pub fn user_info(&self) -> Vec<u8> {
        let Some((name, password)) = &self.user else {
            return Vec::new();
        };
        let mut output = escape(name, Place::UserInfo);
        if let Some(password) = password {
            output.push(b':');
            output.extend(escape(password, Place::UserInfo));
        }
        output
    }

    /// `String`, of a URL that was put together from its parts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut output = Vec::new();
        if !self.scheme.is_empty() {
            output.extend_from_slice(&self.scheme);
            output.push(b':');
        }
        if self.opaque.is_empty() {
            self.append_hierarchy(&mut output);
        } else {
            output.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            output.push(b'?');
            output.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            output.push(b'#');
            output.extend(escape(&self.fragment, Place::Fragment));
        }
        output
    }

    fn append_hierarchy(&self, output: &mut Vec<u8>) {
        let has_authority = !self.host.is_empty() || self.user.is_some();
        if has_authority || (!self.scheme.is_empty() && !self.path.is_empty()) {
            output.extend_from_slice(b"//");
        }
        if self.user.is_some() {
            output.extend(self.user_info());
            output.push(b'@');
        }
        output.extend(escape(&self.host, Place::Host));
        let path = if self.path == b"*" {
            self.path.clone()
        } else {
            escape(&self.path, Place::Path)
        };
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            output.push(b'/');
        }
        let first_segment = cut(&path, b"/").map_or(path.as_slice(), |(segment, _)| segment);
        if output.is_empty() && first_segment.contains(&b':') {
            output.extend_from_slice(b"./");
        }
        output.extend(path);
    }
}

fn cut<'t>(text: &'t [u8], separator: &[u8; 1]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.iter().position(|byte| *byte == separator[0])?;
    Some((&text[..at], &text[at + 1..]))
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn valid_port(port: &[u8]) -> bool {
    port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    match host.iter().rposition(|&byte| byte == b'[') {
        Some(0) => return parse_bracketed(host),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    let first = host.iter().position(|&byte| byte == b':');
    let last = host.iter().rposition(|&byte| byte == b':');
    // Only http and https insist on one colon.
    let colon = if scheme == b"http" || scheme == b"https" {
        first
    } else {
        last
    };
    if let Some(at) = colon {
        check_port(&host[at..])?;
    }
    unescape(host, Place::Host)
}

fn check_port(port: &[u8]) -> Result<(), String> {
    if valid_port(port) {
        Ok(())
    } else {
        Err(format!("invalid port {} after host", quoted(port)))
    }
}

fn parse_bracketed(host: &[u8]) -> Result<Vec<u8>, String> {
    let Some(close) = host.iter().rposition(|&byte| byte == b']') else {
        return Err("missing ']' in host".to_owned());
    };
    let port = &host[close + 1..];
    check_port(port)?;
    let name = &host[1..close];
    let zone = super::text::find(name, b"%25").unwrap_or(name.len());
    let mut address = unescape(&name[..zone], Place::Host)?;
    let plain = String::from_utf8_lossy(&address).into_owned();
    if plain.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".to_owned());
    }
    if plain.parse::<std::net::Ipv6Addr>().is_err() {
        return Err(format!(
            "invalid host: ParseAddr({}): unable to parse IP",
            quoted(&address)
        ));
    }
    address.extend(unescape(&name[zone..], Place::Zone)?);
    Ok([b"[", address.as_slice(), b"]", port].concat())
}

fn must_escape(byte: u8, place: Place) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    if matches!(place, Place::Host | Place::Zone) {
        return !b"!$&'()*+,;=:[]<>\"".contains(&byte);
    }
    match byte {
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match place {
            Place::Path => byte == b'?',
            Place::UserInfo => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Place::Fragment | Place::Host | Place::Zone => false,
        },
        b'!' | b'(' | b')' | b'*' => place != Place::Fragment,
        _ => true,
    }
}

fn escape(text: &[u8], place: Place) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut output = Vec::with_capacity(text.len());
    for &byte in text {
        if must_escape(byte, place) {
            output.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            output.push(byte);
        }
    }
    output
}

fn unescape(text: &[u8], place: Place) -> Result<Vec<u8>, String> {
    let mut output = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            let in_host = matches!(place, Place::Host | Place::Zone);
            if in_host && byte.is_ascii() && must_escape(byte, place) {
                return Err(format!("invalid character {} in host name", quoted(&[byte])));
            }
            output.push(byte);
            rest = after;
            continue;
        }
        let invalid = || format!("invalid URL escape {}", quoted(&rest[..rest.len().min(3)]));
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(invalid)?;
        // In a host, only what is not ASCII may be escaped, and the `%` before a zone.
        let refused = match place {
            Place::Host => value < 0x80 && value != b'%',
            Place::Zone => value != b'%' && value != b' ' && must_escape(value, Place::Host),
            Place::Path | Place::UserInfo | Place::Fragment => false,
        };
        if refused {
            return Err(invalid());
        }
        output.push(value);
        rest = &after[2..];
    }
    Ok(output)
}

fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(&strconv::quote(text)).into_owned()
}

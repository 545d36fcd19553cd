//! Go's `path` (and `path/filepath` on Unix, which differs only in `Ext` of nothing that matters here).

/// `path.Clean`: the shortest equivalent path.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(&last) if last != b".." => {
                    parts.pop();
                }
                None if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// `path.Base`: the last element.
pub fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|&byte| byte != b'/');
    let Some(last) = end else { return b"/" };
    let trimmed = &path[..=last];
    let start = trimmed
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    &trimmed[start..]
}

/// `path.Dir`: all but the last element, cleaned.
pub fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    clean(&path[..end])
}

/// `path.Ext`: from the last dot of the last element on.
pub fn ext(path: &[u8]) -> &[u8] {
    let name = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(path, |slash| &path[slash + 1..]);
    name.iter()
        .rposition(|&byte| byte == b'.')
        .map_or(b"", |dot| &name[dot..])
}

/// `path.IsAbs`.
pub fn is_abs(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

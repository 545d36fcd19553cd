//! Status codes of the API server's answers as values of a label: a closed set.

/// Codes that the API server gives, and what stands for them.
const KNOWN: [(u16, &str); 21] = [
    (101, "101"),
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (304, "304"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (409, "409"),
    (410, "410"),
    (413, "413"),
    (415, "415"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (503, "503"),
    (504, "504"),
];

/// What stands for any other.
const OTHER: &str = "other";
/// What stands for no answer.
const NONE: &str = "None";

/// The label's value for a status; `None` without an answer.
pub(super) fn of(status: Option<u16>) -> &'static str {
    let Some(status) = status else { return NONE };
    KNOWN
        .iter()
        .find(|(code, _)| *code == status)
        .map_or(OTHER, |(_, name)| name)
}

/// All values.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(_, name)| *name).chain([OTHER, NONE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_of_few_values() {
        for status in 0..=u16::MAX {
            let value = of(Some(status));
            assert!(value == OTHER || value == status.to_string());
        }
        assert_eq!(of(None), "None");
        assert_eq!(all().count(), 23);
    }
}

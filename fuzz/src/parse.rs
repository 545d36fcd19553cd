//! The lexer and the parser of templates.

use fairlead::template::TemplateSet;

/// Input: a template. Errors stand on a line of the text; what a parsed template prints as is a template again, and prints
/// as itself.
pub fn parse(data: &[u8]) {
    let set = match TemplateSet::parse([("input", data)]) {
        Ok(set) => set,
        Err(error) => {
            let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line);
            // Messages quote a token, in which a byte may become four (`\x00`).
            assert!(error.to_string().len() < 4 * data.len() + 1000, "a long message");
            return;
        }
    };
    if !prints_as_itself(data) {
        return;
    }
    for name in set.names() {
        let shown = set.source(name).unwrap_or_default();
        let again = TemplateSet::parse([("again", &shown)]).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        assert_eq!(again.source("again").unwrap_or_default(), shown);
    }
}

/// Go prints the text around actions as it is: a brace at its end would join the delimiter behind it. Bytes that are no
/// UTF-8 are printed as U+FFFD.
fn prints_as_itself(data: &[u8]) -> bool {
    str::from_utf8(data).is_ok_and(|text| !text.replace("{{", "").contains('{'))
}

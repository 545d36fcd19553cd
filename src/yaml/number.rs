//! Numbers as Go writes them: `strconv.FormatFloat(f, 'g', -1, bits)` and what becomes of a float on its way through JSON.

/// What a float is once Go's `json.Marshal` has written it and go-yaml has read it again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ThroughJson {
    /// The text had neither fraction nor exponent and fits an `i64`.
    Int(i64),
    /// As `Int`, and fits only a `u64`.
    Uint(u64),
    /// Everything else.
    Float(f64),
}

/// Above this Go's JSON uses an exponent, so that a whole number stays a float.
const JSON_EXPONENT_FROM: f64 = 1e21;

/// Takes a finite float through JSON. Whole numbers come back as integers made of the *shortest* digits, so 2^63 comes
/// back as 9223372036854776000.
pub(super) fn through_json(float: f64) -> ThroughJson {
    if float.fract() != 0.0 || float.abs() >= JSON_EXPONENT_FROM || !float.is_finite() {
        return ThroughJson::Float(float);
    }
    let text = format!("{float}");
    if let Ok(int) = text.parse::<i64>() {
        return ThroughJson::Int(int);
    }
    text.parse::<u64>().map_or(ThroughJson::Float(float), ThroughJson::Uint)
}

/// `strconv.FormatFloat(float, 'g', -1, 64)`, with YAML's names of the values that are no numbers.
pub(super) fn format_float(float: f64) -> String {
    if !float.is_finite() {
        return not_finite(float.is_nan(), float < 0.0);
    }
    general(&format!("{float:e}"), &format!("{float}"))
}

/// `strconv.FormatFloat(float, 'g', -1, 32)`: what sigs.k8s.io/yaml makes of a float that is a key.
#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is what the source of this rule has"
)]
pub(super) fn format_float_single(float: f64) -> String {
    let single = float as f32;
    if !single.is_finite() {
        return not_finite(single.is_nan(), single < 0.0);
    }
    general(&format!("{single:e}"), &format!("{single}"))
}

fn not_finite(nan: bool, negative: bool) -> String {
    match (nan, negative) {
        (true, _) => ".nan",
        (false, true) => "-.inf",
        (false, false) => ".inf",
    }
    .to_owned()
}

/// Chooses between the exponent form (`1.5e7` as Rust writes it, made Go's `1.5e+07`) and the plain one.
fn general(scientific: &str, plain: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return plain.to_owned();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return plain.to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_gos_shortest_general_form() {
        let rows = [
            (1.0, "1"),
            (1_234_567.5, "1.2345675e+06"),
            (100_000.5, "100000.5"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e21, "1e+21"),
            (1e-300, "1e-300"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-.inf"),
        ];
        for (float, text) in rows {
            assert_eq!(format_float(float), text);
        }
        assert_eq!(format_float_single(3.241_592_653_589_79), "3.2415926");
    }

    #[test]
    fn whole_floats_come_back_from_json_as_integers() {
        assert_eq!(through_json(8080.0), ThroughJson::Int(8080));
        assert_eq!(through_json(-0.0), ThroughJson::Int(0));
        assert_eq!(
            through_json(9_223_372_036_854_775_808.0),
            ThroughJson::Uint(9_223_372_036_854_776_000)
        );
        assert_eq!(through_json(1e20), ThroughJson::Float(1e20));
        assert_eq!(through_json(1e21), ThroughJson::Float(1e21));
    }
}

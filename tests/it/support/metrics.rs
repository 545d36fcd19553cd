//! Reads metrics in the text formats of Prometheus and OpenMetrics.

use super::{Result, http};

/// All samples of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Asks for them.
    pub(crate) async fn read(url: &str) -> Result<Self> {
        match http::get(url).await? {
            (200, text) => Ok(Self(text)),
            (status, text) => Err(format!("{url} answered {status}: {text}").into()),
        }
    }

    /// The sum of the samples of this name that have these labels, and others or not; none when there is no such sample.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let samples = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (present, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let present: Vec<&str> = present
                .split_inclusive("\",")
                .map(|label| label.trim_end_matches(','))
                .collect();
            if !wanted.iter().all(|label| present.contains(&label.as_str())) {
                return None;
            }
            value.split(' ').next()?.parse::<f64>().ok()
        });
        samples.fold(None, |sum, sample| Some(sum.unwrap_or(0.0) + sample))
    }
}

#[test]
fn samples_are_summed_by_name_and_labels() {
    let text = "# TYPE x counter\nx_total{a=\"1\",b=\"2, 3\"} 4\nx_total{a=\"1\",b=\"4\"} 5\nx_total_more 9\nup 1 1700000000\n# EOF\n";
    let metrics = Metrics(text.into());
    assert_eq!(metrics.sum("x_total", &[("a", "1")]), Some(9.0));
    assert_eq!(metrics.sum("x_total", &[("b", "2, 3")]), Some(4.0));
    assert_eq!(metrics.sum("x_total", &[("b", "2")]), None);
    assert_eq!(metrics.sum("up", &[]), Some(1.0));
}

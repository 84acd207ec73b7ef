//! Names of metrics and labels: which ones Prometheus' text format allows, and which ones a histogram
//! takes for its own samples.
//!
//! What logtally reserves for itself is not decided here; the configuration says that.

/// The label that holds the upper bound of a histogram's bucket. It stands last among the labels of a
/// family.
pub const BUCKET_LABEL: &str = "le";

/// Whether a text can be the name of a metric: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_metric_name(name: &str) -> bool {
    is_name(name, is_metric_char)
}

/// Whether a text can be the name of a label: `[a-zA-Z_][a-zA-Z0-9_]*`. Names that begin with `__` are
/// among them, although Prometheus keeps those for itself.
pub fn is_label_name(name: &str) -> bool {
    is_name(name, is_label_char)
}

/// Whether a character may stand in the name of a metric.
pub fn is_metric_char(c: char) -> bool {
    is_label_char(c) || c == ':'
}

/// Whether a character may stand in the name of a label.
pub fn is_label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(name: &str, is_part: impl Fn(char) -> bool) -> bool {
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_part)
}

/// What the names of a histogram's samples end with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HistogramSuffix {
    /// Values up to the bound of a bucket.
    Bucket,
    /// The sum of all values.
    Sum,
    /// How many values there are.
    Count,
}

impl HistogramSuffix {
    /// All suffixes.
    pub const ALL: [Self; 3] = [Self::Bucket, Self::Sum, Self::Count];

    /// The suffix, with its underscore.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }

    /// The name of the histogram that a sample would belong to, and which of its samples this is;
    /// `None` if the sample's name has no such suffix.
    pub fn split(name: &str) -> Option<(&str, Self)> {
        for suffix in Self::ALL {
            if let Some(base) = name.strip_suffix(suffix.as_str()) {
                return Some((base, suffix));
            }
        }
        None
    }

    /// The name of this sample of a histogram.
    pub fn of(self, histogram: &str) -> String {
        format!("{histogram}{}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_text_format() {
        for name in ["a", "_", "A1", "log_lines", "__name__"] {
            assert!(is_metric_name(name) && is_label_name(name), "{name}");
        }
        for name in [":", ":a", "job:lines:rate5m"] {
            assert!(is_metric_name(name) && !is_label_name(name), "{name}");
        }
        for name in ["", "1st", "log lines", "zeilen_größe", "a-b", "a.b", "a\n", "٣"] {
            assert!(!is_metric_name(name) && !is_label_name(name), "{name}");
        }
    }

    #[test]
    fn suffixes_are_put_on_and_taken_off() {
        for suffix in HistogramSuffix::ALL {
            let name = suffix.of("took_seconds");
            assert_eq!(HistogramSuffix::split(&name), Some(("took_seconds", suffix)));
        }
        assert_eq!(HistogramSuffix::split("took_seconds"), None);
        assert_eq!(HistogramSuffix::split("_sum"), Some(("", HistogramSuffix::Sum)));
    }
}

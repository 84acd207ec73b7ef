//! How an input's records are counted. Chosen in one place, when the plan is compiled, and never
//! changed by what the records have.

use logtally_formats::csv::{Dialect, Marks};
use logtally_formats::{Format, LINE};
use logtally_rules::RuleSet;

/// How an input's records are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CountPath {
    /// The fast path: the texts of some columns alone say what a record counts, and the ends of these
    /// columns can be marked in this dialect. Records are looked up by that text, their raw key, many at
    /// once. Those that are unusual are counted on the slow path.
    RawKeys(Dialect),
    /// The slow path, record by record: those without quotes are split at their commas.
    Commas,
    /// The slow path, record by record, by the cells that the format finds.
    Cells,
}

impl CountPath {
    /// The path for the records of a format under some rules.
    pub(crate) fn choose(format: &Format, rules: &RuleSet) -> Self {
        let columns = rules.columns();
        // The whole record is a column that is not between delimiters.
        let has_line = columns.iter().any(|column| column == LINE);
        let Some(dialect) = format.lenient_csv() else { return Self::Cells };
        if has_line {
            return Self::Cells;
        }
        if rules.is_plain() && !columns.is_empty() && Marks::can_mark(dialect) {
            return Self::RawKeys(dialect);
        }
        if dialect == Dialect::STANDARD { Self::Commas } else { Self::Cells }
    }

    /// The dialect of the fast path, if this is it.
    #[inline]
    pub(crate) fn fast(self) -> Option<Dialect> {
        match self {
            Self::RawKeys(dialect) => Some(dialect),
            Self::Commas | Self::Cells => None,
        }
    }

    /// The path for records that are counted one by one.
    #[inline]
    pub(crate) fn slow(self) -> Self {
        match self {
            Self::RawKeys(Dialect::STANDARD) => Self::Commas,
            Self::RawKeys(_) => Self::Cells,
            Self::Commas | Self::Cells => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reading;

    #[test]
    fn the_path_depends_on_format_and_rules() {
        let semicolons = Format::compile(
            &logtally_formats::spec::FormatSpec::Csv(logtally_formats::spec::CsvSpec {
                delimiter: b';',
                ..Default::default()
            }),
            &[],
        );
        let semicolons = semicolons.expect("valid").lenient_csv().expect("rows");
        let cases = [
            ("{type: csv, columns: [a, b]}", "[a, b]", CountPath::RawKeys(Dialect::STANDARD)),
            ("{type: csv, delimiter: ';'}", "[a, b]", CountPath::RawKeys(semicolons)),
            ("{type: csv, columns: [a]}", "{x: {column: a, upper: true}}", CountPath::Commas),
            ("{type: csv, columns: [a]}", "[]", CountPath::Commas),
            ("{type: csv, columns: [a]}", "{x: '@line'}", CountPath::Cells),
            ("{type: csv, comment: '#'}", "[a]", CountPath::Cells),
            ("{type: csv, ragged: strict}", "[a]", CountPath::Cells),
            ("{type: csv, delimiter: ';'}", "{x: {column: a, upper: true}}", CountPath::Cells),
            ("json", "[a]", CountPath::Cells),
        ];
        for (format, labels, expected) in cases {
            let yaml =
                format!("inputs: [{{format: {format}, rules: [{{metric: m, labels: {labels}}}]}}]");
            let input = reading(&yaml).input;
            assert_eq!(input.count_path, expected, "{yaml}");
            assert_eq!(input.count_path.slow().fast(), None, "{yaml}");
        }
    }
}

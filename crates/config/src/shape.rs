//! The language as data: which fields there are, what they may be, and what they are for. The reader
//! and the schema for editors both follow it, so that they cannot disagree. Decides nothing itself.

/// What a value may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A text, a number or a flag, taken as it is written.
    Scalar,
    /// `true` or `false`.
    Flag,
    /// A whole number, 1 or more.
    Count,
    /// A whole number, 0 or more.
    Amount,
    /// A decimal number.
    Decimal,
    /// A time such as `500ms` or `7d`.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Values in order.
    List(&'static Kind),
    /// A value, or several in order.
    OneOrMore(&'static Kind),
    /// Values by names that people choose.
    MapOf(&'static Kind),
    /// A map with known fields.
    Object(&'static Shape),
    /// One of several kinds.
    Either(&'static [Kind]),
    /// A kind that contains itself.
    Named(&'static str, &'static Kind),
}

/// A field of a map.
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

/// A map with known fields.
pub(crate) struct Shape {
    /// Its name in the schema.
    pub id: &'static str,
    /// What a person would call it.
    pub title: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// What other fields may be; `None` if there are no others.
    pub others: Option<Kind>,
}

impl Shape {
    /// The names of its fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|f| f.name)
    }
}

const fn may(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, about, kind, required: false }
}

const fn must(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, about, kind, required: true }
}

const fn closed(id: &'static str, title: &'static str, fields: &'static [Field]) -> Shape {
    Shape { id, title, fields, others: None }
}

/// The whole configuration.
pub(crate) static CONFIG: Shape = closed(
    "config",
    "the configuration",
    &[
        may(
            "inputs",
            Kind::List(&Kind::Object(&INPUT)),
            "What is read. Without it: the FILES of the command line.",
        ),
        may(
            "rules",
            Kind::List(&Kind::Object(&RULE)),
            "What is counted, for all inputs without rules of their own. Without any: log_host_job_count by host and job_name.",
        ),
        may(
            "lookups",
            Kind::MapOf(&LOOKUP),
            "Tables by name, for the `lookup` of a label: value to value, or {file: x.csv} with two columns.",
        ),
        may("samples", Kind::Object(&SAMPLES), "What the admin page shows of the logs."),
    ],
);

static LOOKUP: Kind = Kind::MapOf(&Kind::Scalar);

/// Samples for the admin page.
pub(crate) static SAMPLES: Shape = closed(
    "samples",
    "samples",
    &[may(
        "rejected",
        Kind::Amount,
        "Rejected records kept per reason for the admin page. Default 0, since logs may be private.",
    )],
);

/// One input.
pub(crate) static INPUT: Shape = closed(
    "input",
    "an input",
    &[
        may("name", Kind::Text, "Its name, unique. Default: input1, input2 and so on."),
        may(
            "files",
            Kind::OneOrMore(&Kind::Text),
            "Paths and globs; ** is any number of folders, {name} captures a part of the path, '-' is standard input. Without it: the FILES of the command line.",
        ),
        may("exclude", Kind::OneOrMore(&Kind::Text), "Globs of files that are not read."),
        may(
            "compressed",
            Kind::Flag,
            "Whether .gz and .zst files that the globs match are read too. Default false; files named without a glob are always read.",
        ),
        may(
            "push",
            Kind::Flag,
            "Whether records may be pushed to it; it then gets no FILES of the command line. Default false; if no input has it, pushed records count as those of the first input.",
        ),
        may("format", FORMAT, "How bytes become records. Default csv."),
        may(
            "labels",
            Kind::MapOf(&INPUT_LABEL),
            "Labels for every rule of this input that does not set them itself: a text is a constant.",
        ),
        may(
            "rules",
            Kind::List(&Kind::Object(&RULE)),
            "Its own rules. Without it: the top-level rules.",
        ),
    ],
);

static INPUT_LABEL: Kind = Kind::Either(&[Kind::Scalar, Kind::Object(&LABEL)]);

/// Names of the formats.
pub(crate) const FORMATS: &[&str] = &["csv", "tsv", "json", "logfmt", "regex", "grok", "lines"];

const FORMAT: Kind = Kind::Either(&[
    Kind::Word(&["csv", "tsv", "json", "logfmt", "lines"]),
    Kind::Object(&FORMAT_CSV),
    Kind::Object(&FORMAT_PLAIN),
    Kind::Object(&FORMAT_REGEX),
    Kind::Object(&FORMAT_GROK),
]);

/// The shape of each format's options.
pub(crate) fn format_shape(name: &str) -> &'static Shape {
    match name {
        "csv" | "tsv" => &FORMAT_CSV,
        "regex" => &FORMAT_REGEX,
        "grok" => &FORMAT_GROK,
        _ => &FORMAT_PLAIN,
    }
}

static FORMAT_CSV: Shape = closed(
    "format_csv",
    "the format csv",
    &[
        must("type", Kind::Word(&["csv", "tsv"]), "Rows of values between delimiters."),
        may(
            "delimiter",
            Kind::Text,
            "One byte between the values, or `tab`. Default `,` for csv, a tab for tsv.",
        ),
        may(
            "quote",
            Kind::Text,
            "One byte around values that contain delimiters, or `none`. Default `\"`.",
        ),
        may(
            "escape",
            Kind::Text,
            "One byte that takes the next one of a quoted value literally, or `none`. Default `none`.",
        ),
        may(
            "comment",
            Kind::Text,
            "One byte that begins rows that are comments, or `none`. Default `none`.",
        ),
        may(
            "header",
            Kind::Word(&["auto", "present", "absent"]),
            "auto: a row with the names of all wanted columns is a header, wherever it stands; present: the first row is one in any case; absent: no row is one. Default auto.",
        ),
        may(
            "columns",
            Kind::List(&Kind::Scalar),
            "The names of the columns, in order, where no header tells them.",
        ),
        may(
            "ragged",
            Kind::Word(&["lenient", "strict"]),
            "A row with too few or too many values: lenient counts it if the wanted values are there, strict rejects it. Default lenient.",
        ),
    ],
);

static FORMAT_PLAIN: Shape = closed(
    "format_plain",
    "a format without options",
    &[must(
        "type",
        Kind::Word(&["json", "logfmt", "lines"]),
        "One JSON object per line; key=value pairs; or the whole line as the column @line.",
    )],
);

static FORMAT_REGEX: Shape = closed(
    "format_regex",
    "the format regex",
    &[
        must("type", Kind::Word(&["regex"]), "A regular expression, searched in each line."),
        must("pattern", Kind::Text, "The expression; its named groups (?<name>…) are the columns."),
    ],
);

static FORMAT_GROK: Shape = closed(
    "format_grok",
    "the format grok",
    &[
        must("type", Kind::Word(&["grok"]), "A grok expression, searched in each line."),
        must("pattern", Kind::Text, "The expression; %{NAME:column} names the columns."),
        may("patterns", Kind::MapOf(&Kind::Text), "Own patterns by name, beside the standard set."),
        may(
            "pattern_files",
            Kind::OneOrMore(&Kind::Text),
            "Files with lines `NAME regex`, relative to the configuration's folder.",
        ),
    ],
);

/// Names of the types of metrics.
pub(crate) const TYPES: &[&str] = &["counter", "gauge", "sum", "histogram", "min", "max", "last"];

/// One rule.
pub(crate) static RULE: Shape = closed(
    "rule",
    "a rule",
    &[
        must(
            "metric",
            Kind::Text,
            "Name of the metric. Rules with the same name feed the same metric.",
        ),
        may(
            "type",
            Kind::Word(TYPES),
            "counter and gauge count records; sum, min, max, last and histogram need a value. Default: counter if the name ends in _total, else gauge.",
        ),
        may("help", Kind::Text, "The help line."),
        may(
            "labels",
            LABELS,
            "Labels: name to column, or to a map; or a list of columns that are names as well.",
        ),
        may(
            "value",
            VALUE,
            "The number, for sum, histogram, min, max and last: a column, or a map.",
        ),
        may(
            "buckets",
            Kind::List(&Kind::Decimal),
            "Upper bounds of a histogram, ascending, without +Inf.",
        ),
        may("time", TIME, "The record's time, for last: a column with RFC 3339 times, or a map."),
        may(
            "when",
            WHEN,
            "Which records it matches: a CEL expression; or a map of columns, all of which must hold.",
        ),
        may("limit", Kind::Count, "Series that it may have."),
        may("limit_per", Kind::Object(&LIMIT_PER), "Series per value of one label."),
        may(
            "ttl",
            Kind::Duration,
            "Series without records for so long are hidden until the next one.",
        ),
        may(
            "backfill",
            Kind::Flag,
            "Whether files that are there when the rule is new are counted from their beginning. Default false.",
        ),
        may(
            "relabel",
            Kind::List(&Kind::Object(&RELABEL)),
            "Changes to the labels, in order, as in Prometheus.",
        ),
    ],
);

const LABELS: Kind = Kind::Either(&[Kind::List(&Kind::Text), Kind::MapOf(&RULE_LABEL)]);

static RULE_LABEL: Kind = Kind::Either(&[Kind::Text, Kind::Object(&LABEL)]);

/// A label in its long form.
pub(crate) static LABEL: Shape = closed(
    "label",
    "a label",
    &[
        may("column", Kind::Scalar, "The value of this column."),
        may("value", Kind::Scalar, "Always this text."),
        may("path", Kind::Text, "The part of the file's path that {name} captures."),
        may("trim", Kind::Flag, "First step: without blanks at both ends."),
        may("lower", Kind::Flag, "Second step: to lower case."),
        may("upper", Kind::Flag, "Second step: to upper case."),
        may(
            "replace",
            Kind::OneOrMore(&Kind::Object(&REPLACE)),
            "Third step: all matches of an expression are replaced.",
        ),
        may(
            "extract",
            Kind::Text,
            "Fourth step: an expression that must match, else the value is missing.",
        ),
        may(
            "to",
            Kind::Text,
            "What `extract` makes of it, e.g. ${1}xx. Default: the first group, or the whole match.",
        ),
        may(
            "lookup",
            Kind::Text,
            "Last step: looked up in this table; what is not in it is missing.",
        ),
        may(
            "missing",
            FALLBACK,
            "A record without the value: reject, skip (this rule does not match it) or {default: text}. Default reject.",
        ),
        may("invalid", FALLBACK, "A record with an invalid value: as `missing`. Default reject."),
        may(
            "max_length",
            Kind::Count,
            "Longest value in bytes; longer ones are invalid. Default and most: 1024.",
        ),
        may("truncate", Kind::Flag, "Whether longer values are cut instead. Default false."),
    ],
);

const FALLBACK: Kind = Kind::Either(&[Kind::Word(&["reject", "skip"]), Kind::Object(&DEFAULT)]);

/// A default value.
pub(crate) static DEFAULT: Shape =
    closed("default", "a default", &[must("default", Kind::Scalar, "It counts with this.")]);

/// One replacement.
pub(crate) static REPLACE: Shape = closed(
    "replace",
    "a replacement",
    &[
        must("regex", Kind::Text, "The expression."),
        must("with", Kind::Text, "What stands for each match; $1 and ${name} are groups."),
    ],
);

const VALUE: Kind = Kind::Either(&[Kind::Text, Kind::Object(&VALUE_MAP)]);

/// A value in its long form.
pub(crate) static VALUE_MAP: Shape = closed(
    "value",
    "a value",
    &[
        must("column", Kind::Scalar, "The column."),
        may(
            "scale",
            Kind::Decimal,
            "A number to multiply it with, e.g. 0.001 for milliseconds shown in seconds.",
        ),
        may(
            "invalid",
            FALLBACK,
            "A record without a valid number: reject, skip or {default: number}. Default reject.",
        ),
    ],
);

const TIME: Kind = Kind::Either(&[Kind::Text, Kind::Object(&TIME_MAP)]);

/// A time in its long form.
pub(crate) static TIME_MAP: Shape = closed(
    "time",
    "a time",
    &[
        must("column", Kind::Scalar, "The column."),
        may("format", Kind::Text, "rfc3339, unix, unix_ms or a strftime pattern. Default rfc3339."),
    ],
);

static WHEN: Kind =
    Kind::Named("when", &Kind::Either(&[Kind::Text, Kind::List(&WHEN), Kind::Object(&WHEN_MAP)]));

/// A condition as a map.
pub(crate) static WHEN_MAP: Shape = Shape {
    id: "when_map",
    title: "a condition",
    fields: &[
        may("any", Kind::List(&WHEN), "One of these holds."),
        may("all", Kind::List(&WHEN), "All of these hold."),
        may("not", WHEN, "This does not hold."),
    ],
    others: Some(Kind::Either(&[Kind::OneOrMore(&Kind::Scalar), Kind::Object(&TEST)])),
};

/// What a column is tested for.
pub(crate) static TEST: Shape = closed(
    "test",
    "a test of a column",
    &[
        may("exists", Kind::Flag, "Whether the column is there and not empty."),
        may("not", Kind::OneOrMore(&Kind::Scalar), "It is none of these."),
        may("matches", Kind::Text, "An expression, searched in the value."),
        may("eq", Kind::Decimal, "As a number equal to this."),
        may("ne", Kind::Decimal, "As a number not equal to this."),
        may("gt", Kind::Decimal, "As a number greater than this."),
        may("ge", Kind::Decimal, "As a number greater than or equal to this."),
        may("lt", Kind::Decimal, "As a number less than this."),
        may("le", Kind::Decimal, "As a number less than or equal to this."),
        may("after", Kind::Text, "As a time later than this RFC 3339 time."),
        may("before", Kind::Text, "As a time earlier than this RFC 3339 time."),
        may(
            "format",
            Kind::Text,
            "How the column's times are written, for after and before. Default rfc3339.",
        ),
    ],
);

/// A limit per label value.
pub(crate) static LIMIT_PER: Shape = closed(
    "limit_per",
    "a limit per label value",
    &[must("label", Kind::Text, "The label."), must("series", Kind::Count, "Series per value.")],
);

/// Actions of relabelling.
pub(crate) const ACTIONS: &[&str] =
    &["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep"];

/// A step of relabelling.
pub(crate) static RELABEL: Shape = closed(
    "relabel",
    "a relabelling step",
    &[
        may("action", Kind::Word(ACTIONS), "What is done. Default replace."),
        may("source_labels", Kind::List(&Kind::Text), "The labels whose values are joined."),
        may("separator", Kind::Text, "Between the joined values. Default `;`."),
        may("regex", Kind::Text, "An expression for the whole value. Default (.*)."),
        may("target_label", Kind::Text, "For replace: the label that is set."),
        may(
            "replacement",
            Kind::Text,
            "For replace and labelmap: the new value or name. Default $1.",
        ),
    ],
);

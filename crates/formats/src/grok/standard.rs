//! The standard patterns, in a form that needs no look-around.
//!
//! Look-around costs the guarantee of linear time, so the few basic patterns that have it are
//! replaced. They match the same texts; only what may stand beside them differs: numbers and times may
//! touch other digits (the pattern around them decides), an IPv4 address no letter. Two more are
//! written in the syntax of another engine. One needs look-around for what it is (`SYSLOGPAMSESSION`
//! takes the same text twice) and is refused.

use std::collections::BTreeMap;

/// Replacements, by name.
const REPLACED: &[(&str, &str)] = &[
    ("BASE10NUM", r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
    ("BASE16NUM", r"[+-]?(?:0x)?[0-9A-Fa-f]+"),
    ("BASE16FLOAT", r"\b[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)\b"),
    ("QUOTEDSTRING", r#""(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'|`(?:\\.|[^\\`])*`"#),
    (
        "IPV4",
        r"\b(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})\b",
    ),
    ("TIME", "%{HOUR}:%{MINUTE}(?::%{SECOND})?"),
    ("HAPROXYTIME", "%{HOUR:haproxy_hour}:%{MINUTE:haproxy_minute}(?::%{SECOND:haproxy_second})?"),
    ("IPTABLES4_FRAG", "(?:CE|DF|MF)*"),
    ("MONGO_QUERY", r"\{ .* \}"),
    (
        "RPROCESSING",
        r"\W*Processing by %{RCONTROLLER} as (?<format>\S+)(?:\W*Parameters: \{%{DATA:params}\}\W*)?",
    ),
    ("RUUID", "[0-9A-Fa-f]{32}"),
];

/// The standard patterns by name, as they are used here.
pub fn standard_patterns() -> BTreeMap<&'static str, &'static str> {
    ::grok::patterns().iter().copied().chain(REPLACED.iter().copied()).collect()
}

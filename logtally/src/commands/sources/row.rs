//! A source as people and programs read it, whoever told it.

use serde::{Deserialize, Serialize};

use crate::output::Table;

/// One source, as an admin listener tells it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SourceRow {
    /// Who told it.
    pub(crate) from: String,
    /// Which source it is.
    #[serde(flatten)]
    pub(crate) identity: Identity,
    /// What it waits for; `stored` if a store told it.
    pub(crate) state: String,
    /// Its life.
    pub(crate) generation: Option<String>,
    /// How far it is counted: bytes; of what is pushed, the number of its last message.
    pub(crate) position: u64,
    /// Where it ends.
    pub(crate) size: Option<u64>,
    /// When a key or an anonymous source was opened, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opened_s: Option<u64>,
    /// What is missing.
    pub(crate) lag_bytes: Option<u64>,
    /// For how long.
    pub(crate) lag_seconds: Option<f64>,
    /// What became of its records.
    #[serde(flatten)]
    pub(crate) records: Records,
    /// The last problem with it.
    pub(crate) last_error: Option<String>,
}

/// Which source it is, and what for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    /// Its name.
    pub(crate) source: String,
    /// Its path; unknown to a store.
    pub(crate) path: Option<String>,
    /// The input that reads it.
    pub(crate) input: Option<String>,
    /// `file`, `backfill`, `stdin`, `producer`, `key` or `anonymous`.
    pub(crate) role: Option<String>,
}

/// What became of the records of a source in this life.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Records {
    /// Records counted.
    pub(crate) counted: u64,
    /// Records that no rule took.
    pub(crate) filtered: u64,
    /// Records rejected.
    pub(crate) rejected: u64,
}

/// Sources as a table, a line each.
pub(super) fn table<'a>(rows: impl IntoIterator<Item = &'a SourceRow>) -> Table {
    let mut table = Table::new(&[
        "path",
        "input",
        ">position",
        ">size",
        ">lag",
        ">counted",
        ">filtered",
        ">rejected",
        "generation",
        "state",
        "source",
        "last error",
    ]);
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for row in rows {
        table.row([
            text(&row.identity.path),
            text(&row.identity.input),
            row.position.to_string(),
            number(row.size),
            number(row.lag_bytes),
            row.records.counted.to_string(),
            row.records.filtered.to_string(),
            row.records.rejected.to_string(),
            text(&row.generation),
            row.state.clone(),
            row.identity.source.clone(),
            row.last_error.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_ingest_are_read_whatever_it_adds() {
        let text = r#"[{"source":"file/v/1/2","path":"a.csv","input":"input1","role":"file",
            "state":"reading","generation":null,"position":5,"size":9,"lag_bytes":4,
            "lag_seconds":0.5,"counted":1,"filtered":0,"rejected":0,"last_error":null,"new":1}]"#;
        let rows: Vec<SourceRow> = serde_json::from_str(text).expect("rows");
        let written = serde_json::to_string(&rows).expect("JSON");
        let same = r#"[{"from":"","source":"file/v/1/2","path":"a.csv","input":"input1","role":"file","state":"reading","generation":null,"position":5,"size":9,"lag_bytes":4,"lag_seconds":0.5,"counted":1,"filtered":0,"rejected":0,"last_error":null}]"#;
        assert_eq!(written, same, "without what is new, and in this order");
        let shown = table(&rows).render();
        assert!(
            shown.lines().nth(1).is_some_and(|line| line.starts_with("a.csv  input1")),
            "{shown}"
        );
    }
}

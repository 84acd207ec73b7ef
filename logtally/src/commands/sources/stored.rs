//! What a store has of sources, as people read it: files by position, producers by sequence, and the keys
//! and anonymous sources of pushes, of which there may be millions, as a number. Only reads, page by page.

use logtally_core::partition::Partition;
use logtally_core::source::{SourceId, SourceName, SourceState};
use logtally_store::SharedStore;

use super::row::{Identity, Records, SourceRow, table};
use crate::output::{Table, count_of};

/// All that is told of a store.
#[derive(Default)]
pub(super) struct StoreReport {
    /// Keys and anonymous sources only if they were asked for.
    pub(crate) rows: Vec<SourceRow>,
    keys: u64,
    anonymous: u64,
    /// When the oldest key or anonymous source was opened, seconds since 1970.
    oldest_s: Option<u64>,
    /// The store's time, seconds since 1970.
    now_s: u64,
    lists_all: bool,
}

impl StoreReport {
    /// Reads a store; `all` to keep keys and anonymous sources.
    pub(super) async fn read(store: &SharedStore, all: bool) -> anyhow::Result<Self> {
        let mut stored = Self { lists_all: all, ..Self::default() };
        for at in (0..store.info().await?.partitions).map(Partition) {
            stored.now_s = store.clock(at).await?.now_ms / 1000;
            let first = stored.rows.len();
            let mut from = None;
            loop {
                let page = store.sources_page(at, from.as_ref()).await?;
                for (source, state) in &page.sources {
                    stored.take(at, source, state);
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            // A page may tell of a source again, and in any order.
            let rows = &mut stored.rows[first..];
            rows.sort_by(|a, b| a.identity.source.cmp(&b.identity.source));
            stored.rows.dedup_by(|a, b| a.identity.source == b.identity.source);
        }
        Ok(stored)
    }

    fn take(&mut self, at: Partition, source: &SourceId, state: &SourceState) {
        match source.name() {
            SourceName::Key { .. } => self.keys += 1,
            SourceName::Anonymous { .. } => self.anonymous += 1,
            _ => {}
        }
        if source.is_temporary() {
            self.oldest_s = match (self.oldest_s, state.note) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if !self.lists_all {
                return;
            }
        }
        self.rows.push(row(at, source, state));
    }

    /// As text: a table for what is read, one for what is pushed, and a line for the rest.
    pub(super) fn render(&self) -> String {
        let (pushed, read): (Vec<&SourceRow>, Vec<&SourceRow>) =
            self.rows.iter().partition(|row| is_pushed(row));
        let has_pushes = !pushed.is_empty() || self.keys + self.anonymous > 0;
        let mut parts = Vec::new();
        if !read.is_empty() || !has_pushes {
            parts.push(table(read).render());
        }
        if !pushed.is_empty() {
            parts.push(self.pushed(&pushed).render());
        }
        if !self.lists_all && self.keys + self.anonymous > 0 {
            parts.push(self.summary());
        }
        parts.join("\n")
    }

    fn pushed(&self, rows: &[&SourceRow]) -> Table {
        let headings =
            ["kind", "name", ">sequence", ">counted", ">filtered", ">rejected", ">age", "source"];
        let mut table = Table::new(&headings);
        for row in rows {
            let kind = row.identity.role.as_deref().unwrap_or_default();
            let name = row.identity.source.strip_prefix("producer/").unwrap_or("-");
            let (sequence, opened) = (row.position.to_string(), row.opened_s);
            let numbers = [row.records.counted, row.records.filtered, row.records.rejected]
                .map(|n| n.to_string());
            let age = opened.map_or("-".to_owned(), |at| age(self.now_s.saturating_sub(at)));
            let [counted, filtered, rejected] = &numbers;
            let source = row.identity.source.as_str();
            table.row([kind, name, &sequence, counted, filtered, rejected, &age, source]);
        }
        table
    }

    fn summary(&self) -> String {
        let keys = count_of(self.keys, "key");
        let anonymous = count_of(self.anonymous, "anonymous source");
        let mut text = format!("{keys} and {anonymous} of pushes without a producer");
        if let Some(at) = self.oldest_s {
            let age = age(self.now_s.saturating_sub(at));
            text = format!("{text}, the oldest of them {age} old");
        }
        text + "; --all lists them\n"
    }
}

fn is_pushed(row: &SourceRow) -> bool {
    matches!(row.identity.role.as_deref(), Some("producer" | "key" | "anonymous"))
}

fn row(at: Partition, source: &SourceId, state: &SourceState) -> SourceRow {
    let role = match source.name() {
        SourceName::File(_) => Some("file"),
        SourceName::Backfill { .. } => Some("backfill"),
        SourceName::Producer(_) => Some("producer"),
        SourceName::Key { .. } => Some("key"),
        SourceName::Anonymous { .. } => Some("anonymous"),
        SourceName::Stdin { .. } | SourceName::Other(_) => None,
    };
    SourceRow {
        from: format!("partition {at}"),
        identity: Identity {
            source: source.as_str().to_owned(),
            role: role.map(str::to_owned),
            ..Identity::default()
        },
        state: "stored".to_owned(),
        generation: Some(format!("{:016x}", state.generation.0)),
        position: state.position,
        size: state.end.map(|end| end.position),
        opened_s: state.note.filter(|_| source.is_temporary()),
        records: Records {
            counted: state.records.counted,
            filtered: state.records.filtered,
            rejected: state.records.rejected,
        },
        ..SourceRow::default()
    }
}

/// A time span in its two largest units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d{}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h{}m", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes}m{}s", seconds % 60)
    } else {
        format!("{seconds}s")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logtally_core::push::{Group, ProducerName, Scope};
    use logtally_core::source::{Generation, RecordCounts};
    use logtally_store::memory::MemoryStore;
    use logtally_store::{CountStore, Opening, SharedStore};

    use super::*;

    const NOW_S: u64 = 1_700_000_000;

    async fn store(sources: &[(SourceId, Option<u64>)]) -> SharedStore {
        let store = MemoryStore::new().with_clock(Arc::new(|| NOW_S * 1000));
        store.create(Some(1)).await.expect("a fresh store");
        for (source, note) in sources {
            let records = RecordCounts { counted: 5, filtered: 1, rejected: 0 };
            let start = SourceState::start(Generation(1));
            let fresh = SourceState { position: 42, note: *note, records, ..start };
            let opening = Opening { source: source.clone(), expected: None, fresh };
            store.open(Partition(0), &opening).await.expect("opens");
        }
        Arc::new(store)
    }

    fn sources() -> Vec<(SourceId, Option<u64>)> {
        let group =
            Group::new(vec![("job".into(), "a".into())]).map(Scope::Group).expect("a group");
        let producer = ProducerName::new("host1/app").expect("a name");
        vec![
            (SourceId::file("v", 1, 2).expect("a source"), None),
            (producer.source(), Some(7)),
            (Scope::Lines.key(b"1"), Some(NOW_S - 60)),
            (group.key(b"1"), Some(NOW_S - 3 * 3600 - 300)),
            (group.anonymous(1), None),
        ]
    }

    #[tokio::test]
    async fn producers_have_a_sequence_and_keys_are_only_counted() {
        let store = store(&sources()).await;
        let stored = StoreReport::read(&store, false).await.expect("read");
        let text = stored.render();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("path  input"), "{text}");
        assert!(lines[1].contains("file/v/1/2"), "{text}");
        assert_eq!(
            lines[3].split_whitespace().take(3).collect::<Vec<_>>(),
            ["kind", "name", "sequence"]
        );
        let producer =
            "producer  host1/app        42        5         1         0    -  producer/host1/app";
        assert_eq!(lines[4], producer);
        let summary = "2 keys and 1 anonymous source of pushes without a producer, the oldest of them 3h5m old; --all lists them";
        assert_eq!(lines[6..], [summary]);
        assert_eq!(stored.rows.len(), 2, "what is not listed is not kept");
    }

    #[tokio::test]
    async fn all_lists_keys_and_anonymous_sources() {
        let store = store(&sources()).await;
        let stored = StoreReport::read(&store, true).await.expect("read");
        let roles: Vec<_> =
            stored.rows.iter().filter_map(|row| row.identity.role.as_deref()).collect();
        assert_eq!(roles, ["file", "key", "anonymous", "key", "producer"]);
        let text = stored.render();
        assert!(!text.contains("--all"), "{text}");
        assert!(text.contains("3h5m") && text.contains("1m0s"), "{text}");
    }

    #[tokio::test]
    async fn a_store_without_pushes_has_one_table() {
        let only_file = &sources()[..1];
        let text = StoreReport::read(&store(only_file).await, false).await.expect("read").render();
        assert_eq!(text.lines().count(), 2, "{text}");
        let text = StoreReport::read(&store(&[]).await, false).await.expect("read").render();
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn ages() {
        for (seconds, text) in [(5, "5s"), (60, "1m0s"), (3_660, "1h1m"), (180_000, "2d2h")] {
            assert_eq!(age(seconds), text);
        }
    }
}

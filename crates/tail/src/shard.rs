//! Static shards: which of several ingests reads a file.

/// The share of one ingest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// This ingest, counted from 0.
    pub index: u32,
    /// All ingests.
    pub total: u32,
}

/// Why it cannot be decided which shard is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// No shards, or an index beyond them.
    #[error("--shard {index} is not below --total-shards {total}")]
    OutOfRange {
        /// The shard.
        index: u32,
        /// All shards.
        total: u32,
    },
    /// More than one shard, but nothing tells which.
    #[error(
        "--total-shards {total} needs --shard, or a pod name that ends in a number (POD_NAME or the host name; here: {name:?})"
    )]
    NoOrdinal {
        /// All shards.
        total: u32,
        /// The name looked at.
        name: String,
    },
}

impl Shard {
    /// The shard that the flags name; without an index, the ordinal at the end of `pod`, as a
    /// `StatefulSet` names its pods.
    pub fn resolve(index: Option<u32>, total: u32, pod: &str) -> Result<Self, ShardError> {
        let index = match index {
            Some(index) => index,
            None if total == 1 => 0,
            None => {
                ordinal(pod).ok_or_else(|| ShardError::NoOrdinal { total, name: pod.to_owned() })?
            }
        };
        if index < total {
            Ok(Self { index, total })
        } else {
            Err(ShardError::OutOfRange { index, total })
        }
    }
}

fn ordinal(pod: &str) -> Option<u32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_pod_name() {
        let check = |index, total, pod, expected: Option<u32>| {
            let got = Shard::resolve(index, total, pod).ok().map(|s| s.index);
            assert_eq!(got, expected, "{index:?} of {total} in {pod}");
        };
        check(Some(1), 2, "ingest-0", Some(1));
        check(None, 2, "logtally-ingest-1", Some(1));
        check(None, 1, "laptop", Some(0));
        check(None, 2, "laptop", None);
        check(Some(2), 2, "", None);
        check(None, 2, "ingest-2", None);
        check(Some(0), 0, "", None);
    }
}

//! Who a store is, and whether it is whole: metadata and partition heads are created together, once.
//!
//! Nothing here ever re-creates a part. A store that lost its metadata or a head has positions
//! without counts, or counts without positions; going on with it would count wrong without a word.

use logtally_core::hash::HASH_VERSION;
use logtally_core::limits::PARTITIONS_MAX;
use logtally_core::partition::Partition;

use crate::error::StoreError;
use crate::model::StoreInfo;

/// The metadata of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    /// Version of the stored layout, which every kind of store counts for itself.
    pub layout: u32,
    /// [`HASH_VERSION`] at creation.
    pub hash: u32,
    /// Random id, given at creation.
    pub state_id: u64,
    /// Number of partitions.
    pub partitions: u16,
    /// Time of creation, milliseconds since 1970.
    pub created_ms: u64,
}

impl Meta {
    /// The metadata of a new store; refuses a number of partitions outside `1..=PARTITIONS_MAX`.
    pub(crate) fn new(
        layout: u32,
        state_id: u64,
        partitions: u16,
        created_ms: u64,
    ) -> Result<Self, StoreError> {
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            return Err(StoreError::Mismatch(format!(
                "a store has 1 to {PARTITIONS_MAX} partitions, {partitions} were asked for"
            )));
        }
        Ok(Self { layout, hash: HASH_VERSION, state_id, partitions, created_ms })
    }

    /// Refuses a store that another build made in a way that this one cannot read.
    pub(crate) fn check_build(&self, layout: u32) -> Result<(), StoreError> {
        let refuse = |what: &str, theirs: u32, ours: u32| {
            Err(StoreError::Mismatch(format!(
                "it has {what} version {theirs}, this build reads version {ours}; run the build \
                 that created it, or remove the store to count again from the sources"
            )))
        };
        match self {
            _ if self.layout != layout => refuse("layout", self.layout, layout),
            _ if self.hash != HASH_VERSION => refuse("hash", self.hash, HASH_VERSION),
            _ => Ok(()),
        }
    }

    /// Refuses a store with another number of partitions than `wanted`.
    pub(crate) fn check_wanted(&self, wanted: Option<u16>) -> Result<(), StoreError> {
        let has = self.partitions;
        match wanted {
            Some(wanted) if wanted != has => Err(StoreError::Mismatch(format!(
                "it has {has} partitions, {wanted} were asked for, and the number is fixed when a \
                 store is created; ask for {has} or for none in particular, or remove the store to \
                 count again from the sources with {wanted}"
            ))),
            _ => Ok(()),
        }
    }

    /// What a user of the store is told; `server` is the id of the serving process.
    pub(crate) fn info(&self, server: u64) -> StoreInfo {
        StoreInfo {
            state_id: self.state_id,
            partitions: self.partitions,
            created_ms: self.created_ms,
            server,
        }
    }
}

/// The rows that say who a store is, inside one transaction.
pub(crate) trait Root {
    /// The layout version that this kind of store reads and writes.
    const LAYOUT: u32;

    /// The metadata.
    fn meta(&self) -> Result<Option<Meta>, StoreError>;

    /// The state id in a partition's head, `None` if there is no head.
    fn head_id(&self, at: Partition) -> Result<Option<u64>, StoreError>;

    /// Whether there is a row of any kind besides the metadata.
    fn holds_rows(&self) -> Result<bool, StoreError>;
}

/// [`Root`] for writing.
pub(crate) trait RootMut: Root {
    /// Writes the metadata and a fresh head for every partition.
    fn install(&mut self, meta: &Meta) -> Result<(), StoreError>;
}

/// The store's metadata if it was created; refuses a store without metadata that holds anything.
pub(crate) fn existing(root: &impl Root) -> Result<Option<Meta>, StoreError> {
    match root.meta()? {
        None if root.holds_rows()? => Err(meta_is_gone()),
        meta => Ok(meta),
    }
}

/// As [`existing`], and checks that every part fits together, this build, and what is wanted.
pub(crate) fn existing_whole<R: Root>(
    root: &R,
    wanted: Option<u16>,
) -> Result<Option<Meta>, StoreError> {
    let Some(meta) = existing(root)? else { return Ok(None) };
    meta.check_build(R::LAYOUT)?;
    for at in (0..meta.partitions).map(Partition) {
        match root.head_id(at)? {
            None => return Err(head_is_gone(at)),
            Some(id) if id != meta.state_id => {
                return Err(StoreError::Damaged(format!(
                    "partition {at} belongs to the store {id:016x}, not to {:016x}",
                    meta.state_id
                )));
            }
            Some(_) => {}
        }
    }
    meta.check_wanted(wanted)?;
    Ok(Some(meta))
}

/// Creates the store if nothing of it exists. `fresh` is the metadata of a new one.
pub(crate) fn create<R: RootMut>(
    root: &mut R,
    wanted: Option<u16>,
    fresh: Meta,
) -> Result<Meta, StoreError> {
    if let Some(meta) = existing_whole(root, wanted)? {
        return Ok(meta);
    }
    root.install(&fresh)?;
    Ok(fresh)
}

/// The metadata that a reader needs; an error if nothing has been created.
pub(crate) fn opened<R: Root>(root: &R) -> Result<Meta, StoreError> {
    let meta = existing(root)?.ok_or(StoreError::Missing)?;
    meta.check_build(R::LAYOUT)?;
    Ok(meta)
}

/// Why a partition has no head.
pub(crate) fn explain_absent_head(root: &impl Root, at: Partition) -> StoreError {
    match existing(root) {
        Err(e) => e,
        Ok(None) => StoreError::Missing,
        Ok(Some(meta)) if at.0 < meta.partitions => head_is_gone(at),
        Ok(Some(meta)) => StoreError::Mismatch(format!(
            "it has {} partitions, and partition {at} is not one of them",
            meta.partitions
        )),
    }
}

fn meta_is_gone() -> StoreError {
    StoreError::Damaged("its metadata is gone while other parts are there".to_owned())
}

fn head_is_gone(at: Partition) -> StoreError {
    StoreError::Damaged(format!("the head of partition {at} is gone while other parts are there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_of_partitions_names_both_and_the_fix() {
        let meta = Meta::new(1, 7, 4, 0).expect("valid");
        assert!(meta.check_wanted(None).is_ok());
        assert!(meta.check_wanted(Some(4)).is_ok());
        let text = meta.check_wanted(Some(8)).expect_err("differs").to_string();
        assert!(text.contains("has 4 partitions, 8 were asked for"), "{text}");
        assert!(text.contains("ask for 4"), "{text}");
    }

    #[test]
    fn another_layout_or_hash_is_refused() {
        let meta = Meta::new(1, 7, 4, 0).expect("valid");
        assert!(meta.check_build(1).is_ok());
        assert!(matches!(meta.check_build(2), Err(StoreError::Mismatch(_))));
        let other_hash = Meta { hash: HASH_VERSION + 1, ..meta };
        assert!(matches!(other_hash.check_build(1), Err(StoreError::Mismatch(_))));
    }

    #[test]
    fn the_number_of_partitions_is_limited() {
        for partitions in [0, PARTITIONS_MAX + 1] {
            assert!(matches!(Meta::new(1, 7, partitions, 0), Err(StoreError::Mismatch(_))));
        }
        assert!(Meta::new(1, 7, PARTITIONS_MAX, 0).is_ok());
    }
}

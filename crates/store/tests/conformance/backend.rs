//! What the suite needs of a store: a fresh place, and hooks to move its time, to damage it and to
//! take it back.

use async_trait::async_trait;
use logtally_core::partition::Partition;
use logtally_store::SharedStore;

/// A place for one store, with nothing created in it.
#[async_trait]
pub(crate) trait Backend: Send + Sync + Sized + 'static {
    /// How many random histories the model test runs: fewer where every commit waits for a disk.
    const HISTORIES: u64;

    /// Whether `advance` costs nothing, so that random histories may move the clock at will.
    const CLOCK_IS_OURS: bool;

    /// Partitions of a store that is created without asking for a number.
    const PARTITIONS_DEFAULT: u16;

    /// A fresh place.
    async fn fresh() -> Self;

    /// The store at the place. A case asks for it again after `damage` and `roll_back`, which may
    /// reopen it, and holds none while it calls them.
    fn store(&self) -> SharedStore;

    /// Lets at least this much time (milliseconds) pass on the store's clock.
    async fn advance(&self, ms: u64);

    /// Takes a part of the store away.
    async fn damage(&self, damage: Damage);

    /// Keeps a copy of everything stored.
    async fn save(&self);

    /// Puts the copy back: the store loses what happened since, as after a failover.
    async fn roll_back(&self);
}

/// A part of a store that is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// The metadata.
    Meta,
    /// The head of a partition.
    Head(Partition),
    /// The metadata and the heads of all partitions (of a store with two).
    MetaAndHeads,
    /// One entry of a journal.
    Entry(Partition, u64),
}

/// Runs every case against a backend.
macro_rules! conformance {
    ($backend:ty) => {
        crate::backend::conformance!(@ $backend, admission: every_row_of_the_table);
        crate::backend::conformance!(@ $backend, batches:
            an_admitted_batch_is_written_as_a_whole,
            one_bad_delta_blocks_the_whole_batch,
            a_duplicate_changes_nothing,
            joined_spans_move_as_one,
            a_span_without_increments_still_moves,
            a_span_without_records_counts_its_increments,
            families_are_registered_once,
            a_batch_at_its_limits_is_one_commit,
            what_fits_commits_after_a_refusal,
            partitions_are_apart
        );
        crate::backend::conformance!(@ $backend, opening:
            only_the_whole_state_opens,
            of_many_openers_one_wins,
            many_open_at_once_each_for_itself,
            an_opening_counts_nothing,
            a_delayed_opening_after_a_rollback_is_refused
        );
        crate::backend::conformance!(@ $backend, journal:
            entries_link,
            a_foreign_place_is_broken,
            a_reused_number_is_broken,
            a_lost_entry_is_seen
        );
        crate::backend::conformance!(@ $backend, folding:
            folding_twice_changes_nothing,
            many_entries_and_series_fold,
            trimmed_entries_break_old_places,
            what_is_not_folded_is_not_trimmed,
            creation_times_stay,
            folding_after_a_rollback_adds_up,
            folders_and_committers_at_once_add_up
        );
        crate::backend::conformance!(@ $backend, blocks:
            counts_grow_and_shrink,
            a_row_larger_than_a_block_is_kept
        );
        crate::backend::conformance!(@ $backend, kinds:
            every_kind_is_merged_by_its_rule,
            a_sum_that_leaves_its_range_stops_nobody
        );
        crate::backend::conformance!(@ $backend, arrival:
            the_later_entry_wins_whatever_the_tie,
            within_one_entry_the_higher_tie_wins,
            a_forgotten_series_arrives_anew
        );
        crate::backend::conformance!(@ $backend, forgetting:
            a_forgotten_series_begins_anew,
            forgetting_is_told_to_followers,
            a_rollback_brings_a_forgotten_series_back,
            a_source_is_forgotten_if_it_is_still_as_it_was,
            all_sources_are_listed,
            sources_are_read_in_pages,
            the_end_of_a_source_stays,
            an_empty_entry_tells_the_time
        );
        crate::backend::conformance!(@ $backend, reading:
            a_load_is_an_exact_prefix,
            a_follower_sees_what_a_load_sees
        );
        crate::backend::conformance!(@ $backend, recovering:
            a_report_is_kept_until_it_is_reached,
            a_report_that_the_store_has_reached_is_not_kept,
            an_older_report_lowers_nothing,
            every_report_is_decided_as_by_the_rule,
            a_lost_opening_has_nothing_to_reach,
            an_unknown_source_recovers_with_its_opening
        );
        crate::backend::conformance!(@ $backend, identity:
            nothing_works_before_creation,
            creation_happens_once,
            of_many_creators_one_wins,
            another_number_of_partitions_is_refused,
            a_damaged_store_is_refused_and_never_mended
        );
        crate::backend::conformance!(@ $backend, model: random_histories_match_a_naive_model);
    };
    (@ $backend:ty, $group:ident: $($case:ident),+) => {
        mod $group {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let place = <$backend as crate::backend::Backend>::fresh().await;
                    crate::cases::$group::$case(place).await;
                }
            )+
        }
    };
}

pub(crate) use conformance;

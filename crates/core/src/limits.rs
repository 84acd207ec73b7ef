//! Every limit of the system, in one place, each with the reason for its number.
//!
//! A limit is a promise about memory or about time. Every buffer is bounded; when one fills, logtally
//! stops reading. Nothing is dropped. Where one limit needs another, it is derived from it here.

use std::time::Duration;

/// Largest record (bytes, terminator excluded). Longer ones are rejected as `oversized`.
///
/// One mebibyte is far above any sane log line and small enough that a reader can always hold one
/// whole record, which is what makes an unclosed quote decidable.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Bytes before a position whose hash is kept with it: long enough that two different logs rarely
/// agree, short enough to be read again before every continued read.
pub const TAIL_BYTES_MAX: usize = 1024;

/// Bytes that a reader asks for at once. Large enough to amortise the system call and the tail
/// check, small enough to stay in the second-level cache.
pub const READ_BYTES: usize = 128 << 10;

/// Bytes of one source that a single delta may cover. More would make a retry expensive; less would
/// make commits frequent while catching up.
pub const SPAN_BYTES_MAX: u64 = 32 << 20;

/// The same for text whose records take the fast path of counting: it takes a tenth of the time to read,
/// and what it counts is committed in as few commits.
pub const FAST_SPAN_BYTES_MAX: u64 = 128 << 20;

/// Encoded increments (bytes) at which a delta is closed. The store writes a commit in one step, so
/// this bounds how long one commit can occupy it; half a mebibyte holds 10,000 series, so that a busy
/// file closes its deltas by span and not by increments.
pub const DELTA_BYTES_TARGET: usize = 512 << 10;

/// Increments (bytes) that one record may add, over all rules that count it. A record that adds more is
/// rejected as `oversized`: as much as the longest record has itself.
pub const RECORD_INCREMENTS_BYTES_MAX: usize = RECORD_BYTES_MAX;

/// Bytes of a delta beside its increments: the families and limits of the rules that counted something.
const DELTA_ENVELOPE_BYTES: usize = RECORD_BYTES_MAX;

/// Encoded increments (bytes) above which a delta is refused. Counting stops within a piece of text at
/// the record that reaches [`DELTA_BYTES_TARGET`], so a delta exceeds the target by one record at most.
pub const DELTA_BYTES_MAX: usize =
    DELTA_BYTES_TARGET + RECORD_INCREMENTS_BYTES_MAX + DELTA_ENVELOPE_BYTES;

/// Increments (bytes) of one record above which it does not take the fast path of counting, where the
/// bound on a delta is looked at once for many records: as many as are looked up together add less than
/// one record may.
pub const FAST_RECORD_INCREMENTS_BYTES_MAX: usize = 16 << 10;

/// The same as [`FAST_SPAN_BYTES_MAX`] where the aggregator is in the same process and its store in the same
/// directory: no other source waits at a server meanwhile, and series that come again and again are
/// committed once. Still a fraction of a second to read.
pub const LOCAL_SPAN_BYTES_MAX: u64 = 256 << 20;

/// The same as [`DELTA_BYTES_TARGET`] there: two million usual series.
pub const LOCAL_DELTA_BYTES_TARGET: usize = 96 << 20;

/// Bytes of one source that are waiting to be read when free workers help with it: reading them takes
/// far longer than starting threads.
pub const SHARED_BYTES_MIN: u64 = 16 << 20;

/// Largest message (bytes) between the two there: a delta that exceeds the target by one record, and room
/// for what is estimated of its length.
pub const LOCAL_MESSAGE_BYTES_MAX: usize = LOCAL_DELTA_BYTES_TARGET
    + RECORD_INCREMENTS_BYTES_MAX
    + DELTA_ENVELOPE_BYTES
    + LOCAL_DELTA_BYTES_TARGET / 16;

/// Keys of series (bytes) that a thread which counts remembers from one piece to the next: 40,000 usual
/// ones, which with their numbers just fit the second-level cache.
pub const TALLY_KEPT_BYTES_MAX: usize = 1 << 20;

/// Longest raw key (bytes) that a tally remembers: all that usual labels need. Records with longer ones
/// are taken apart each time.
pub const RAW_KEY_BYTES_MAX: usize = 4 << 10;

/// Bytes of raw keys that a tally remembers within one span: two million usual ones. Beyond that, records
/// take the slow path.
pub const RAW_KEYS_BYTES_MAX: usize = 96 << 20;

/// Deltas in one batch. Each costs a comparison and a write inside the store's atomic step.
pub const BATCH_DELTAS_MAX: usize = 512;

/// Encoded increments (bytes) in one batch, for the same reason as [`DELTA_BYTES_TARGET`]. A single
/// delta may be larger; it then travels alone.
pub const BATCH_BYTES_MAX: usize = DELTA_BYTES_TARGET;

/// Spans of one source that may wait for their commit. More than one hides the round trip; many
/// would only make a rewind more expensive.
pub const SPANS_IN_FLIGHT_MAX: usize = 4;

/// Encoded deltas (bytes) that one ingest may have under way to all aggregators together.
pub const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

/// Requests that one aggregator queues per partition before it stops reading its streams: a batch of
/// the largest size. Their bytes are bounded by what the ingests may have under way.
pub const COMMIT_QUEUE_MAX: usize = BATCH_DELTAS_MAX;

/// Positions, sequences and counts of records are exact in every part of the system, including the
/// store's script language, whose numbers are doubles: so they stay below 2^53.
pub const POSITION_MAX: u64 = (1 << 53) - 1;

/// Longest encoded source name (bytes).
pub const SOURCE_ID_BYTES_MAX: usize = 512;

/// Longest name of a producer (bytes): a host, a path and an inode fit.
pub const PRODUCER_NAME_BYTES_MAX: usize = 256;

/// Longest label value (bytes). Longer values reject the record (`label_too_long`): they would make
/// every scrape pay for one line.
pub const LABEL_VALUE_BYTES_MAX: usize = 1024;

/// Labels of one family.
pub const LABELS_MAX: usize = 32;

/// Buckets of one histogram, `+Inf` excluded: each is a line of the page per series.
pub const BUCKETS_MAX: usize = 100;

/// Columns that a header may have. A wider one is not taken for a header.
pub const COLUMNS_MAX: usize = 4096;

/// Sources that one ingest follows. A run over a million small files took 2.6 GB, start included.
pub const SOURCES_MAX: usize = 2_000_000;

/// Files that one ingest holds open, if the system allows as many. Beyond that, files that have been
/// read to their end are closed and opened again when they change.
pub const OPEN_FILES_MAX: usize = 65_536;

/// Idle sources that ask for their stored state at once: a few per cent of a processor, every few
/// seconds.
pub const IDLE_CHECKS_MAX: usize = 20_000;

/// Sources whose lag is shown one by one. With more of them, only the sum and the worst are shown.
pub const LAG_SOURCES_MAX: usize = 1_000;
/// Objects and arrays inside each other in one JSON record. Reading goes down one call per level, so
/// this bounds the stack; no log nests a tenth as deep.
pub const JSON_DEPTH_MAX: usize = 128;

/// Compiled size (bytes) of the expression of a format: the largest standard patterns need about a
/// megabyte, and one that needs more than this is a mistake (`{1000}{1000}`).
pub const EXPRESSION_BYTES_MAX: usize = 32 << 20;

/// Text (bytes) that a grok expression may expand to. Definitions that name each other twice double
/// with every level; the longest standard pattern expands to a tenth of this.
pub const GROK_TEXT_MAX: usize = 256 << 10;

/// Grok patterns inside each other. The standard ones need eight levels; a pattern that names itself
/// needs all of them.
pub const GROK_DEPTH_MAX: usize = 32;

/// Largest block of pushed records (bytes): the largest record fits, and what a block counts stays
/// within one delta unless almost every record is a new series in several rules.
pub const PUSH_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

/// Blocks of pushed records (bytes) that one ingest holds, from the first byte of a block to its
/// acknowledgement. What they count takes up to about as much again.
pub const PUSH_IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

/// Of those, what one producer may have: an eighth, so that no producer holds up all others.
pub const PRODUCER_IN_FLIGHT_BYTES_MAX: usize = PUSH_IN_FLIGHT_BYTES_MAX / 8;

/// Messages of one producer that may wait for their acknowledgement: many small ones cost more than
/// their bytes.
pub const PRODUCER_IN_FLIGHT_MESSAGES_MAX: usize = 1024;

/// Pushed metrics whose names one ingest remembers, so that none takes a name of another one. With more it
/// begins anew.
pub const PUSHED_METRICS_MAX: usize = 100_000;

/// Producers, keys and anonymous sources that one ingest remembers between two pushes; one that it has
/// forgotten costs a question to an aggregator.
pub const PUSHED_SOURCES_MAX: usize = 100_000;

/// How long they are remembered: long enough for senders that come every few minutes.
pub const PUSHED_SOURCE_IDLE_MAX: Duration = Duration::from_mins(10);

/// How long a pushed message may wait for its commit before its sender is told to try again.
pub const PUSH_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a stopping ingest waits for what was pushed and is under way.
pub const PUSH_DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long push streams have to end then: they still carry the replies to that.
pub const PUSH_STREAM_DRAIN_MAX: Duration = PUSH_DRAIN_MAX.saturating_add(Duration::from_secs(1));

/// How long anonymous pushes go to one source. Then they go to a new one, so that old ones can be
/// forgotten.
pub const ANONYMOUS_SOURCE_AGE_MAX: Duration = Duration::from_hours(6);

/// The least time for which keys and anonymous sources are kept after their last use: twice the time for
/// which an anonymous source is used, so that none in use is ever forgotten, even if the clock of its
/// ingest is some hours behind that of the store. A source that is forgotten while it is used is opened
/// again, and what is under way may count twice.
pub const PUSHED_SOURCE_RETENTION_MIN: Duration = ANONYMOUS_SOURCE_AGE_MAX.saturating_mul(2);

/// How long they are kept if nothing else is said: a retry may come a day later.
pub const PUSHED_SOURCE_RETENTION_DEFAULT: Duration = Duration::from_hours(24);
const _: () =
    assert!(PUSHED_SOURCE_RETENTION_DEFAULT.as_secs() >= PUSHED_SOURCE_RETENTION_MIN.as_secs());

/// Longest idempotency key (bytes).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Largest gRPC message (bytes): one delta at its limit, and its envelope.
pub const MESSAGE_BYTES_MAX: usize = DELTA_BYTES_MAX + (64 << 10);

/// Largest list of groups of pushed metrics (bytes): a million groups with short labels. A client must
/// allow as much.
pub const GROUPS_BYTES_MAX: usize = 64 << 20;

/// Flow-control windows (bytes) between ingest and aggregator, at both ends: a few deltas per stream may
/// be under way.
pub const STREAM_WINDOW_BYTES: u32 = 2 * DELTA_BYTES_TARGET as u32;

/// A silent aggregator is asked for a sign of life after this time, and given up after the same time
/// again: a paused process must not hold its sources for ever.
pub const LINK_KEEPALIVE: Duration = Duration::from_secs(5);

/// After this time every reader has noticed that an aggregator is gone, and has asked another one for the
/// stored state of its sources. Exporters are silent for as long after the store's server was replaced.
pub const LINK_LOST_AFTER: Duration = Duration::from_secs(2 * LINK_KEEPALIVE.as_secs());

/// Concurrent streams on one gRPC connection.
pub const STREAMS_MAX: u32 = 256;

/// Partitions of a store. The upper end is the largest Redis Cluster that is recommended; more would
/// only multiply rows.
pub const PARTITIONS_MAX: u16 = 1024;

/// Partitions of a new Redis store when nothing else is asked for: room to spread over four nodes
/// at the price of four rows for a series that occurs everywhere.
pub const PARTITIONS_DEFAULT_REDIS: u16 = 4;

/// Counts hashes per partition: ten million series in four partitions make hashes of 40,000 fields,
/// which Redis reads in less than 20 ms each.
pub const COUNTS_BUCKETS: u16 = 64;

/// Field/value pairs written by one fold script, so that no script occupies the server for long.
pub const FOLD_PAIRS_MAX: usize = 2_000;

/// Bytes of fields and values written by one fold script, for the same reason as [`FOLD_PAIRS_MAX`].
pub const FOLD_BYTES_MAX: usize = 256 << 10;

/// Journal entries read at once by a fold or a load: with [`BATCH_BYTES_MAX`] this bounds its memory.
pub const JOURNAL_READ_MAX: usize = 64;

/// Encoded increments (bytes) of journal entries read at once by a fold or a load, unless the first
/// entry alone has more. A fold builds a table of several times that size from them: with two million
/// series, steps four times as large saved a tenth of the time and took twice the memory.
pub const JOURNAL_READ_BYTES_MAX: usize = 4 << 20;

/// Unfolded entries of a partition above which nothing more is committed, in a store that keeps its journal
/// in memory.
pub const UNFOLDED_MAX: u64 = 256;

/// Unfolded increments (bytes) of a partition above which nothing more is committed, in a store that keeps
/// its journal in memory.
pub const UNFOLDED_BYTES_MAX: u64 = 128 << 20;

/// The same for a store that keeps its journal on disk, where an entry costs a row: as many as two folds
/// take.
pub const UNFOLDED_ON_DISK_MAX: u64 = 2 * FOLD_ENTRIES_MAX as u64;

/// The same for a store that keeps its journal on disk. A load goes through it, at about 0.2 s of
/// processor time for a million increments: less than two seconds.
pub const UNFOLDED_ON_DISK_BYTES_MAX: u64 = 256 << 20;

/// Journal entries that a store with transactions folds, or trims, in one of them. A fold costs by the
/// blocks of counts that it touches, so small entries are folded by the thousand.
pub const FOLD_ENTRIES_MAX: usize = 4_096;

/// Encoded increments (bytes) that a store with transactions folds in one of them, and that a load puts
/// upon the counts in one pass, unless the first entry alone has more. In memory they take their size and
/// half of it again. A round that names series all over goes over all blocks of counts, so smaller ones
/// cost more.
pub const FOLD_ROUND_BYTES_MAX: usize = 64 << 20;

/// Encoded increments (bytes) of a journal entry in one row of an embedded store. With what stands around
/// them they fill a page of 256 KiB, whose memory is used again for the next one; a row of tens of
/// mebibytes has a page of its own, of which up to half stays empty.
pub const JOURNAL_ROW_BYTES: usize = (256 << 10) - 256;

/// Bytes of rows that a block of counts is cut to. With what stands around them they fill a page of
/// 16 KiB: small enough that a fold of a few series writes little, large enough that one of all series
/// has few pages to find.
pub const BLOCK_BYTES: usize = (16 << 10) - 256;

/// Bytes of rows that a block of counts may grow to before it is cut, unless a single row is larger. What
/// is left then is less than [`BLOCK_BYTES`], and far from [`BLOCK_BYTES_MIN`].
pub const BLOCK_BYTES_MAX: usize = BLOCK_BYTES / 4 * 7;

/// Bytes of rows below which a block is joined to the next one when it is written.
pub const BLOCK_BYTES_MIN: usize = BLOCK_BYTES / 4;

/// Encoded increments (bytes) that a reader is given as changes. One that is further behind loads the
/// partition again, which costs about as much and is bounded by the number of series.
pub const CHANGES_BYTES_MAX: usize = 32 << 20;

/// Folded entries trimmed from a journal in one transaction, so that a long backlog does not hold up
/// commits. More than [`JOURNAL_READ_MAX`], so that trimming keeps up with folding.
pub const TRIM_ENTRIES_MAX: usize = 4 * JOURNAL_READ_MAX;

/// Lines of a piece of the page, on average: the unit that is written anew, copied or compressed when
/// something in it changes. With a quarter, each piece costs more than what is in it; with four times
/// as many, one changed digit costs four times as much.
pub const PAGE_PIECE_LINES: usize = 256;

/// Bytes of a page that is compressed as a whole: short ones are many, and repeat themselves in what
/// pieces tear apart. Compressing that much takes less than half a millisecond.
pub const PAGE_WHOLE_BYTES_MAX: usize = 64 << 10;

/// Scrapes rendered at the same time; further ones wait for their turn.
pub const SCRAPES_MAX: usize = 16;

/// Virtual nodes per aggregator on the ring: the load of two aggregators then differs by less than
/// 20 % (shown by a test).
pub const RING_VIRTUAL_NODES: u32 = 160;

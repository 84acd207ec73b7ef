//! Everything that is followed, and what is under way for it: carries out what the sources decide.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use logtally_core::limits::TAIL_BYTES_MAX;
use logtally_core::recovery::is_behind;
use logtally_core::source::{SourceId, SourceState};
use logtally_proto::{Action, Request};
use logtally_session::conversation::NextStep;
use logtally_session::uplink::Peer;
use tokio::sync::mpsc;

use super::idle::IdleTurns;
use super::open_files::OpenFiles;
use super::options::FollowOptions;
use super::queue::ReadQueue;
use super::table::SourceTable;
use super::traffic::Traffic;
use crate::discover::Stamp;
use crate::followed::{EndPolicy, FollowedSource, ReadTicket, Returned, SentDelta};
use crate::metrics::TailMetrics;
use crate::reader::{End, Reader, Scratch};
use crate::stdin::Stdin;
use crate::worker::{FileAt, ReadJob, ReadStep};

/// Everything that is followed, and what is under way for it.
pub(super) struct Sources {
    table: SourceTable,
    traffic: Traffic,
    queue: ReadQueue,
    files: OpenFiles,
    /// Standard input, if it is read.
    stdin: Option<(SourceId, Arc<Stdin>)>,
    idle: IdleTurns,
    policy: EndPolicy,
    /// The name of the volume that the files lie on.
    volume: String,
    metrics: TailMetrics,
}

impl Sources {
    /// Nothing is followed yet.
    pub(super) fn new(
        options: &FollowOptions,
        peers: &[Peer],
        scratches: Vec<Scratch>,
        metrics: TailMetrics,
    ) -> Self {
        Self {
            table: SourceTable::default(),
            traffic: Traffic::new(peers),
            queue: ReadQueue::new(scratches),
            files: OpenFiles::new(),
            stdin: None,
            idle: IdleTurns::default(),
            policy: options.end_policy(),
            volume: options.volume.clone(),
            metrics,
        }
    }

    /// The sources.
    pub(super) fn table(&self) -> &SourceTable {
        &self.table
    }

    /// The sources, to note something about them.
    pub(super) fn table_mut(&mut self) -> &mut SourceTable {
        &mut self.table
    }

    /// What is under way to the aggregators.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Where files are counted that are opened and dropped.
    pub(super) fn files_mut(&mut self) -> &mut OpenFiles {
        &mut self.files
    }

    /// When a file is taken to have come to its end.
    pub(super) fn policy(&self) -> EndPolicy {
        self.policy
    }

    /// The identity of standard input, if it is read.
    pub(super) fn stdin_id(&self) -> Option<&SourceId> {
        self.stdin.as_ref().map(|(id, _)| id)
    }

    /// What the follower has met and done.
    pub(super) fn metrics(&self) -> &TailMetrics {
        &self.metrics
    }

    /// Whether no delta waits for its acknowledgement.
    pub(super) fn is_drained(&self) -> bool {
        self.table.iter().all(|source| !source.has_deltas_in_flight())
    }

    /// Whether everything that is followed was read to its end and acknowledged.
    pub(super) fn are_finished(&self) -> bool {
        let is_finished = |source: &FollowedSource| {
            source.reads().is_finished() && !source.has_deltas_in_flight()
        };
        self.table.iter().all(is_finished)
    }

    /// A link to an aggregator is up.
    pub(super) fn on_link_up(&mut self, link: usize, requests: mpsc::UnboundedSender<Request>) {
        self.traffic.link_up(link, requests);
        self.on_ring_change(None);
    }

    /// A link to an aggregator is down.
    pub(super) fn on_link_down(&mut self, link: usize) {
        self.traffic.link_down(link);
        self.on_ring_change(Some(link));
    }

    /// Sources whose owner changed, or was lost, start again from what is stored.
    fn on_ring_change(&mut self, lost: Option<usize>) {
        self.metrics.commits.links.set(self.traffic.links_up() as i64);
        for id in self.table.ids_of(|source| self.traffic.is_misplaced(source, lost)) {
            self.assign(&id);
        }
    }

    /// Follows a source from now on.
    pub(super) fn follow(&mut self, source: FollowedSource) {
        let id = source.id().clone();
        self.table.insert(source);
        self.assign(&id);
    }

    /// Follows standard input from now on.
    pub(super) fn follow_stdin(&mut self, source: FollowedSource, stdin: Arc<Stdin>) {
        self.files.note_opened();
        self.stdin = Some((source.id().clone(), stdin));
        self.follow(source);
    }

    /// Gives a source to its owner on the ring and begins anew there.
    fn assign(&mut self, id: &SourceId) {
        let Some(source) = self.table.get_mut(id) else { return };
        if self.traffic.assign(source) {
            self.ask(id);
        }
    }

    /// Asks for the stored state, and tells what was acknowledged, so that a store that went back in
    /// time is noticed by others, too.
    pub(super) fn ask(&mut self, id: &SourceId) {
        let Some(source) = self.table.get_mut(id) else { return };
        let step = self.traffic.converse(source, FollowedSource::ask);
        self.carry_out(id, step);
    }

    /// Carries out what a source wants next.
    fn carry_out(&mut self, id: &SourceId, step: NextStep<SentDelta>) {
        let Some(source) = self.table.get(id) else { return };
        match step {
            // A file's source may be opened by whoever reads the file, so that nothing stops it.
            NextStep::Nothing | NextStep::Stop => {}
            NextStep::Ask { acknowledged, tag } => {
                self.traffic.ask(source, tag, Action::Lookup(acknowledged));
            }
            NextStep::Open { expected, tag } => self.open(source, expected, tag),
            NextStep::Continue(_) => {
                self.enqueue(id);
                self.note_registered(id);
            }
            NextStep::Landed { flights, .. } => {
                for flight in flights {
                    let seconds = flight.payload.at.elapsed().as_secs_f64();
                    self.metrics.commits.commit_seconds.observe(seconds);
                }
            }
        }
    }

    fn open(&self, source: &FollowedSource, expected: Option<SourceState>, tag: u64) {
        if expected.is_some() {
            tracing::warn!(source = %source.id(), path = %source.path().display(),
                "the file was truncated or replaced; it counts from its beginning");
            self.metrics.reads.replaced.inc();
        }
        if let Some(fresh) = self.fresh_state(source) {
            self.traffic.ask(source, tag, Action::Open { expected, fresh });
        }
    }

    /// An aggregator has answered a request.
    pub(super) fn on_response(&mut self, tag: u64, id: &SourceId, stored: Option<SourceState>) {
        let Some(source) = self.table.get_mut(id) else { return };
        let before = source.acknowledged();
        let step =
            self.traffic.converse(source, |source, tags| source.on_response(tag, stored, tags));
        let counted = source.conversation().position();
        // Only a delta, or a check, can have this answer: not a question.
        if matches!(step, NextStep::Ask { .. }) {
            let path = source.path().to_owned();
            self.note_rewind(id, &path, before, stored);
        }
        if let Some((stdin_id, stdin)) = &self.stdin
            && stdin_id == id
        {
            // What is counted is not kept any more, except for what verifies the position.
            stdin.forget_before(counted.saturating_sub(TAIL_BYTES_MAX as u64));
        }
        self.carry_out(id, step);
        self.enqueue(id);
        self.close_if_over(id);
    }

    fn note_rewind(
        &self,
        id: &SourceId,
        path: &Path,
        acknowledged: Option<SourceState>,
        stored: Option<SourceState>,
    ) {
        self.metrics.commits.rewinds.inc();
        let path = path.display();
        if acknowledged.is_some_and(|known| is_behind(stored.as_ref(), &known)) {
            self.metrics.commits.store_behind.inc();
            tracing::error!(source = %id, %path, ?acknowledged, ?stored,
                "the store is behind what it had acknowledged; reading again from there");
        } else {
            tracing::info!(source = %id, %path, ?stored, "reading again from what is stored");
        }
    }

    /// Idle sources check their stored state: after a rollback of the store nobody else would notice
    /// what is missing.
    pub(super) fn check_idle(&mut self) {
        let round = self.idle.next(self.table.len());
        for source in self.table.iter_mut() {
            if source.is_idle() && round.includes(source.id()) {
                self.traffic.check(source);
            }
        }
    }

    /// The next reading step that a free worker may do, as long as there is room for what it brings
    /// back.
    pub(super) fn next_job(&mut self, now: Instant) -> Option<ReadJob> {
        while self.traffic.has_room() {
            let id = self.queue.pop()?;
            if let Some(job) = self.make_job(&id, now) {
                return Some(job);
            }
        }
        None
    }

    fn make_job(&mut self, id: &SourceId, now: Instant) -> Option<ReadJob> {
        let stdin_is_closed = self.stdin.as_ref().is_some_and(|(_, stdin)| stdin.is_closed());
        let source = self.table.get_mut(id)?;
        source.reads_mut().leave_queue();
        let generation = source.conversation().generation()?;
        let (reader, ticket) = source.lend_reader()?;
        let file = FileAt {
            path: source.path().to_owned(),
            id: source.file_id().clone(),
            volume: self.volume.clone(),
            compression: source.extent().compression(),
        };
        let end = source.end(self.policy, stdin_is_closed, now);
        let scratch = self.queue.take_scratch(source.lag_bytes())?;
        Some(ReadJob { source: id.clone(), generation, ticket, end, reader, file, scratch })
    }

    /// Puts a source into the queue if it has something to read and may be read.
    pub(super) fn enqueue(&mut self, id: &SourceId) {
        self.register_backfills(id);
        let Some(source) = self.table.get_mut(id) else { return };
        if source.enter_queue() {
            self.queue.push(id);
        }
    }

    /// There may be something new in a source.
    pub(super) fn on_change(&mut self, id: &SourceId, now: Instant) {
        if let Some(source) = self.table.get_mut(id) {
            source.reads_mut().mark_dirty();
            source.location_mut().note_change(now);
        }
        self.enqueue(id);
    }

    /// There is something new on standard input, or it was closed.
    pub(super) fn on_stdin(&mut self, id: &SourceId) {
        let Some((_, stdin)) = &self.stdin else { return };
        if let Some(source) = self.table.get_mut(id) {
            source.extent_mut().note_size(stdin.len());
            source.reads_mut().mark_dirty();
        }
        self.enqueue(id);
    }

    /// A worker gives back what it was lent. `None` if the source is not followed any more.
    pub(super) fn take_back(
        &mut self,
        id: &SourceId,
        ticket: ReadTicket,
        reader: Box<Reader>,
        scratch: Scratch,
        has_opened: bool,
    ) -> Option<Returned> {
        self.queue.give_back(scratch);
        if has_opened {
            self.files.note_opened();
        }
        match self.table.get_mut(id) {
            Some(source) if source.reads().owns(ticket) => Some(source.take_back(reader, ticket)),
            _ => {
                self.files.note_dropped(Some(&reader));
                None
            }
        }
    }

    /// A reading step was done: `stamp` is that of the file before it.
    pub(super) fn on_step(
        &mut self,
        id: &SourceId,
        step: ReadStep,
        stamp: Option<Stamp>,
        end: End,
        now: Instant,
    ) {
        let Some(source) = self.table.get_mut(id) else { return };
        source.on_step(&step.span, stamp, end);
        if let Some((delta, trace)) = step.delta {
            self.traffic.commit(source, delta, trace, now);
        }
        if step.span.at_end {
            self.files.note_at_end(id, &mut self.table);
        }
    }

    /// A file lost its content, or has another one: it counts from its beginning.
    pub(super) fn on_replaced(&mut self, id: &SourceId) {
        let Some(source) = self.table.get_mut(id) else { return };
        let read_to = source.conversation().sent();
        let lost = source.extent_mut().take_lost(read_to);
        if lost > 0 {
            self.metrics.reads.suspected_lost_bytes.inc_by(lost);
            tracing::error!(source = %id, path = %source.path().display(), bytes = lost,
                "the file was truncated before it was read to its end");
        }
        let step = self.traffic.converse(source, FollowedSource::on_replaced);
        self.carry_out(id, step);
    }

    /// Stops following a file and its backfills.
    pub(super) fn close(&mut self, id: &SourceId) {
        for backfill in self.table.backfills_of(id) {
            self.forget(&backfill);
        }
        let Some(source) = self.forget(id) else { return };
        tracing::info!(source = %id, path = %source.path().display(),
            position = source.conversation().position(), "closed the file");
        self.metrics.lag.forget(source.path());
    }

    /// Forgets a source.
    pub(super) fn forget(&mut self, id: &SourceId) -> Option<FollowedSource> {
        let source = self.table.remove(id)?;
        self.traffic.forget(&source);
        self.files.note_dropped(source.reads().reader());
        Some(source)
    }
}

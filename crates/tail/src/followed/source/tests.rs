use logtally_core::delta::Span;
use logtally_core::series::Increments;
use logtally_core::source::{Generation, RecordCounts, SourceEnd, Tail};

use super::*;
use crate::content::Compression;

const POLICY: EndPolicy = EndPolicy { once: false, rotate_wait: Duration::from_secs(10) };

fn stamp(size: u64) -> Stamp {
    Stamp { size, modified: (0, 0) }
}

fn found(compression: Option<Compression>) -> FollowedSource {
    let reading = logtally_count::testing::default_reading();
    let reader = Reader::new(None, reading.clone());
    let id = SourceId::new("file/v/1/1").expect("valid");
    let found = Found { path: "x".into(), device: 0, stamp: stamp(10), input: 0, compression };
    FollowedSource::file(id, &found, reader, reading, Instant::now())
}

/// A source that has asked, with tag 1.
fn source() -> (FollowedSource, Tags) {
    let (mut source, mut tags) = (found(None), Tags::default());
    source.ask(&mut tags);
    (source, tags)
}

fn at(generation: u64, position: u64) -> SourceState {
    SourceState { position, ..SourceState::start(Generation(generation)) }
}

fn send(source: &mut FollowedSource, tags: &mut Tags, from: u64, to: u64) -> u64 {
    let span = Span::new(from, to).expect("valid");
    let delta = Delta {
        source: source.id.clone(),
        generation: source.conversation().generation().expect("open"),
        span,
        tail_before: Tail::empty(),
        tail_after: Tail::empty(),
        note: None,
        records: RecordCounts::default(),
        families: vec![],
        limits: vec![],
        increments: Increments::default(),
    };
    let trace = tracing::Span::none();
    source.send(&delta, SentDelta { bytes: 1, at: Instant::now(), _trace: trace }, tags)
}

/// Whether a step begins with a fresh question.
fn asks(step: &NextStep<SentDelta>) -> bool {
    matches!(step, NextStep::Ask { .. })
}

#[test]
fn an_unknown_source_is_opened_and_a_known_one_continued() {
    let (mut source, mut tags) = source();
    let step = source.on_response(9, Some(at(1, 5)), &mut tags);
    assert!(matches!(step, NextStep::Nothing), "not our question");
    let step = source.on_response(1, None, &mut tags);
    assert!(matches!(step, NextStep::Open { expected: None, tag: 2 }), "{step:?}");
    let step = source.on_response(2, Some(at(1, 5)), &mut tags);
    assert!(matches!(step, NextStep::Continue(_)), "{step:?}");
    assert!(source.conversation().is_ready() && source.conversation().sent() == 5);
}

#[test]
fn acknowledgements_move_on_and_everything_else_asks() {
    let check = |answer: Option<SourceState>, expected_to_ask: bool, acknowledged: u64| {
        let (mut source, mut tags) = source();
        source.on_response(1, Some(at(1, 0)), &mut tags);
        let first = send(&mut source, &mut tags, 0, 10);
        send(&mut source, &mut tags, 10, 20);
        let step = source.on_response(first, answer, &mut tags);
        assert_eq!(asks(&step), expected_to_ask, "{step:?}");
        assert_eq!(source.acknowledged().expect("open").position, acknowledged);
    };
    check(Some(at(1, 10)), false, 10);
    check(Some(at(1, 20)), false, 20);
    check(Some(at(1, 5)), true, 0);
    check(Some(at(1, 30)), true, 0);
    check(Some(at(2, 10)), true, 0);
    check(None, true, 0);
}

#[test]
fn an_idle_check_only_minds_differences() {
    let check = |answer: Option<SourceState>, expected_to_ask: bool| {
        let (mut source, mut tags) = source();
        source.on_response(1, Some(at(1, 10)), &mut tags);
        let tag = source.check(&mut tags).expect("idle");
        assert_eq!(asks(&source.on_response(tag, answer, &mut tags)), expected_to_ask);
    };
    check(Some(at(1, 10)), false);
    check(Some(at(1, 5)), true);
    check(Some(at(2, 10)), true);
    check(None, true);
}

#[test]
fn a_source_that_is_being_read_minds_no_idle_check() {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 10)), &mut tags);
    source.rules_mut().note_registered();
    let tag = source.check(&mut tags).expect("idle");
    source.lend_reader().expect("there");
    assert!(!asks(&source.on_response(tag, Some(at(1, 5)), &mut tags)));
    assert!(source.check(&mut tags).is_none(), "not idle");
}

#[test]
fn answers_from_before_a_reset_are_not_taken() {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 0)), &mut tags);
    source.rules_mut().note_registered();
    let sent = send(&mut source, &mut tags, 0, 10);
    assert_eq!(source.bytes_in_flight(), 1);
    let (reader, ticket) = source.lend_reader().expect("ready");
    source.ask(&mut tags);
    assert_eq!(source.bytes_in_flight(), 0);
    assert_eq!(source.take_back(reader, ticket), Returned::Outdated);
    let step = source.on_response(sent, Some(at(1, 10)), &mut tags);
    assert!(matches!(step, NextStep::Nothing), "{step:?}");
    assert_eq!(source.acknowledged().expect("open").position, 0);
}

#[test]
fn a_replaced_file_is_asked_for_before_it_is_opened() {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 0)), &mut tags);
    send(&mut source, &mut tags, 0, 10);
    let step = source.on_replaced(&mut tags);
    let NextStep::Ask { tag, .. } = step else { panic!("{step:?}") };
    source.on_response(tag, Some(at(1, 10)), &mut tags);
    let step = source.on_replaced(&mut tags);
    assert!(matches!(step, NextStep::Open { expected, .. } if expected == Some(at(1, 10))));
}

#[test]
fn a_source_is_read_when_its_state_is_known_and_its_backfills_are_registered() {
    let (mut source, mut tags) = source();
    source.rules_mut().note_registered();
    assert!(!source.enter_queue(), "the stored state is not known");
    source.on_response(1, Some(at(1, 0)), &mut tags);
    assert!(source.enter_queue() && !source.enter_queue());
    source.rules_mut().set_removed(true);
    assert!(source.lend_reader().is_none(), "no input matches it");
    source.rules_mut().set_removed(false);
    for n in 0..SPANS_IN_FLIGHT_MAX as u64 {
        assert!(source.may_read());
        send(&mut source, &mut tags, n, n + 1);
    }
    assert!(!source.may_read(), "enough is under way");
}

#[test]
fn backfills_are_registered_where_nothing_is_under_way() {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 0)), &mut tags);
    assert!(source.may_register_backfills());
    let sent = send(&mut source, &mut tags, 0, 5);
    assert!(!source.may_register_backfills());
    source.on_response(sent, Some(at(1, 5)), &mut tags);
    source.rules_mut().start_registering();
    assert!(!source.may_register_backfills(), "once");
}

#[test]
fn what_can_be_appended_to_is_open() {
    let now = Instant::now();
    let once = EndPolicy { once: true, ..POLICY };
    assert_eq!(found(None).end(POLICY, true, now), End::Open);
    assert_eq!(found(None).end(once, false, now), End::Final);
    assert_eq!(found(Some(Compression::Gzip)).end(POLICY, false, now), End::Final);
    let file = found(None);
    let reading = file.rules().reading().clone();
    let id = SourceId::new("backfill/1").expect("valid");
    let backfill = FollowedSource::backfill(id.clone(), &file, reading.clone(), now);
    assert_eq!(backfill.end(POLICY, false, now), End::Final);
    assert_eq!(backfill.file_id(), file.id());
    let stdin = FollowedSource::stdin(id, Reader::new(None, reading.clone()), reading, now);
    assert_eq!(stdin.end(once, false, now), End::Open, "its writer has it open");
    assert_eq!(stdin.end(POLICY, true, now), End::Final);
    assert!(!stdin.may_release_handle());
}

/// A source that was read up to a last record without an end and is gone from its path.
fn missing(superseded: bool) -> (FollowedSource, Instant) {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 0)), &mut tags);
    source.rules_mut().note_registered();
    let (reader, ticket) = source.lend_reader().expect("ready");
    assert_eq!(source.take_back(reader, ticket), Returned::Wanted);
    source.extent_mut().note_read(8, 2);
    source.extent_mut().note_end(Some(stamp(10)));
    let now = Instant::now();
    source.location_mut().note_missing(now);
    source.location_mut().note_superseded(superseded);
    source.on_stamp(stamp(10), POLICY, now);
    assert!(!source.reads().is_dirty(), "somebody may still append");
    (source, now)
}

#[test]
fn the_last_record_of_a_missing_file_counts_if_the_file_never_comes_back() {
    let (mut source, now) = missing(true);
    let later = now + POLICY.rotate_wait;
    assert!(!source.may_close_missing(stamp(10), POLICY, later), "the record is not read");
    source.on_stamp(stamp(10), POLICY, later);
    assert!(source.reads().is_dirty());
    let (reader, ticket) = source.lend_reader().expect("ready");
    source.take_back(reader, ticket);
    source.reads_mut().note_end(true);
    assert!(source.may_close_missing(stamp(10), POLICY, later));
}

#[test]
fn a_missing_file_that_may_come_back_keeps_its_last_record() {
    let (mut source, now) = missing(false);
    let later = now + POLICY.rotate_wait;
    source.on_stamp(stamp(10), POLICY, later);
    assert!(!source.reads().is_dirty());
    assert!(!source.may_close_missing(stamp(10), POLICY, now), "it must be quiet");
    assert!(source.may_close_missing(stamp(10), POLICY, later));
    assert!(!source.may_close_missing(stamp(11), POLICY, later), "it has grown");
}

#[test]
fn only_a_file_at_its_path_that_is_read_is_closed_to_save_handles() {
    let (mut source, mut tags) = source();
    source.on_response(1, Some(at(1, 0)), &mut tags);
    source.rules_mut().note_registered();
    source.extent_mut().note_end(Some(stamp(10)));
    assert!(!source.may_release_handle(), "something is to be read");
    source.lend_reader().expect("ready");
    assert!(source.may_release_handle());
    source.location_mut().note_missing(Instant::now());
    assert!(!source.may_release_handle(), "it cannot be opened again");
}

#[test]
fn lag_is_measured_to_the_end_of_the_file_or_of_the_backfill() {
    let (mut source, mut tags) = source();
    let now = Instant::now();
    source.on_response(1, Some(at(1, 4)), &mut tags);
    assert_eq!(source.note_lag(now), (6, 0.0));
    assert_eq!(source.note_lag(now + Duration::from_secs(2)), (6, 2.0));
    assert!(source.loses_bytes_if_closed() && !source.is_over());
    source.ask(&mut tags);
    let end = Some(SourceEnd { position: 4, tail: Tail::empty() });
    source.on_response(2, Some(SourceState { end, ..at(1, 4) }), &mut tags);
    assert_eq!(source.note_lag(now), (0, 0.0));
    assert!(source.is_over());
}

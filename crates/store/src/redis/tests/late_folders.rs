//! A folder that goes on with what it read long ago: after another fold, or after a rollback.

use super::*;

#[tokio::test]
async fn after_another_fold_it_changes_nothing() {
    let mut bench = Bench::new().await;
    bench.commit_many().await;
    bench.commit(&["a"]).await;
    let late = Round::read(&bench.place().await).await.expect("reads");
    bench.fold().await;
    bench.check_load().await;
    let place = bench.place().await;
    let sums = sums(&late.entries);
    let result = late.write_pieces(&place, &sums, usize::MAX).await;
    // It sees that everything is contained, or that it came too late.
    assert!(result.is_ok() || is_moved(&result), "{result:?}");
    assert!(is_moved(&late.finish(&place, &sums, 0).await));
    bench.check().await;
}

#[tokio::test]
async fn writing_twice_adds_nothing() {
    let mut bench = Bench::new().await;
    bench.commit_many().await;
    let place = bench.place().await;
    let round = Round::read(&place).await.expect("reads");
    let sums = sums(&round.entries);
    for _ in 0..2 {
        round.write_pieces(&place, &sums, usize::MAX).await.expect("writes or skips");
    }
    round.finish(&place, &sums, 0).await.expect("finishes");
    assert!(is_moved(&round.finish(&place, &sums, 0).await));
    bench.check().await;
}

#[tokio::test]
async fn a_lost_race_for_one_hash_is_seen() {
    let mut bench = Bench::new().await;
    bench.commit(&["a"]).await;
    let place = bench.place().await;
    let slow = Round::read(&place).await.expect("reads");
    let slow_sums = sums(&slow.entries);
    let script = slow.script(&place, &slow_sums).await.expect("reads").expect("there is work");
    // Between reading the values and writing them, somebody else writes.
    bench.fold().await;
    let reply = place.link.call(&script).await.expect("answers");
    assert_eq!(reply.status, "moved");
    bench.check().await;
}

/// As above, and the place folded to is still where it was: the hash is not set back.
#[tokio::test]
async fn a_hash_is_not_set_back() {
    let mut bench = Bench::new().await;
    bench.commit(&["a"]).await;
    let place = bench.place().await;
    let slow = Round::read(&place).await.expect("reads");
    let slow_sums = sums(&slow.entries);
    let script = slow.script(&place, &slow_sums).await.expect("reads").expect("there is work");
    bench.commit(&["a"]).await;
    let place = bench.place().await;
    let fast = Round::read(&place).await.expect("reads");
    let fast_sums = sums(&fast.entries);
    fast.write_pieces(&place, &fast_sums, usize::MAX).await.expect("writes");
    assert_eq!(place.link.call(&script).await.expect("answers").status, "moved");
    fast.finish(&place, &fast_sums, 0).await.expect("finishes");
    bench.check().await;
}

#[tokio::test]
async fn a_hash_that_is_ahead_is_left_alone() {
    let mut bench = Bench::new().await;
    bench.commit(&["a"]).await;
    let slow = Round::read(&bench.place().await).await.expect("reads");
    bench.commit(&["a", "b"]).await;
    let place = bench.place().await;
    let fast = Round::read(&place).await.expect("reads");
    let fast_sums = sums(&fast.entries);
    fast.write_pieces(&place, &fast_sums, usize::MAX).await.expect("writes");
    let slow_sums = sums(&slow.entries);
    slow.write_pieces(&place, &slow_sums, usize::MAX).await.expect("nothing is left to do");
    // What is contained beyond its own end is good enough for it.
    slow.finish(&place, &slow_sums, 0).await.expect("finishes");
    bench.check().await;
}

#[tokio::test]
async fn a_rollback_of_its_entries_stops_it() {
    let mut bench = Bench::new().await;
    bench.commit(&["a", "b"]).await;
    bench.save();
    bench.commit(&["a"]).await;
    bench.commit(&["lost"]).await;
    let late = Round::read(&bench.place().await).await.expect("reads");
    bench.roll_back();
    // The numbers are used again.
    for _ in 0..3 {
        bench.commit(&["b"]).await;
    }
    let place = bench.place().await;
    let sums = sums(&late.entries);
    assert!(is_moved(&late.write_pieces(&place, &sums, usize::MAX).await));
    assert!(is_moved(&late.finish(&place, &sums, 0).await));
    bench.check().await;
}

/// Then no hash tells that they are gone.
#[tokio::test]
async fn a_rollback_of_entries_without_increments_stops_it() {
    let mut bench = Bench::new().await;
    bench.commit(&["a"]).await;
    bench.fold().await;
    bench.save();
    bench.commit(&[]).await;
    let late = Round::read(&bench.place().await).await.expect("reads");
    bench.roll_back();
    bench.commit(&["b"]).await;
    assert!(is_moved(&late.finish(&bench.place().await, &[], 0).await));
    bench.check().await;
}

/// A round up to the entry `seq`, as if no more had been there.
async fn round_to(bench: &Bench, seq: u64) -> Round {
    let mut round = Round::read(&bench.place().await).await.expect("reads");
    round.entries.retain(|entry| entry.mark.seq <= seq);
    round.to = round.entries.last().expect("there is an entry").mark;
    round
}

/// The entries stand, and the place folded to is what was lost: a hash may then lack increments that
/// the late folder takes for contained.
#[tokio::test]
async fn a_rollback_of_the_place_folded_to_stops_it() {
    let (host, other) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&host]).await;
    bench.fold().await;
    bench.commit(&[&host]).await;
    bench.commit(&[&host, &other]).await;
    bench.save();
    let first = round_to(&bench, 2).await;
    let place = bench.place().await;
    let first_sums = sums(&first.entries);
    first.write_pieces(&place, &first_sums, usize::MAX).await.expect("writes");
    first.finish(&place, &first_sums, 0).await.expect("finishes");
    let late = Round::read(&bench.place().await).await.expect("reads");
    assert_eq!((late.from.seq, late.to.seq), (2, 3));
    bench.roll_back();
    let place = bench.place().await;
    let late_sums = sums(&late.entries);
    assert!(is_moved(&late.write_pieces(&place, &late_sums, usize::MAX).await));
    assert!(is_moved(&late.finish(&place, &late_sums, 0).await));
    bench.check().await;
}

/// It saw that others had written all of it, and then that was lost.
#[tokio::test]
async fn a_rollback_of_what_others_wrote_stops_its_last_step() {
    let mut bench = Bench::new().await;
    bench.commit(&["a"]).await;
    bench.commit(&["a", "b"]).await;
    bench.save();
    let late = round_to(&bench, 1).await;
    let late_sums = sums(&late.entries);
    let place = bench.place().await;
    let fast = Round::read(&place).await.expect("reads");
    let fast_sums = sums(&fast.entries);
    fast.write_pieces(&place, &fast_sums, usize::MAX).await.expect("writes");
    late.write_pieces(&place, &late_sums, usize::MAX).await.expect("nothing is left to do");
    bench.roll_back();
    assert!(is_moved(&late.finish(&bench.place().await, &late_sums, 0).await));
    bench.check().await;
}

/// No rollback leaves such a marker behind; if something else does, nothing is built upon it.
#[tokio::test]
async fn a_marker_of_another_history_is_not_believed() {
    for seq in [1, 2, 99] {
        let mut bench = Bench::new().await;
        bench.commit(&["a"]).await;
        bench.commit(&["a"]).await;
        let key = Key::Counts(P, bucket_of(series("a").as_bytes()));
        let foreign = Mark { seq, nonce: Nonce(0xbad) };
        let mut command = RedisPartition::on("HSET", key);
        command.arg(MARKER).arg(foreign.encode());
        let place = bench.place().await;
        let _: u64 = place.link.query(&command).await.expect("answers");
        assert!(is_moved(&bench.store.fold(P).await), "{foreign:?}");
        assert!(is_moved(&bench.store.load(P).await), "{foreign:?}");
    }
}

#[tokio::test]
async fn a_late_piece_does_not_bring_forgotten_rows_back() {
    let mut bench = Bench::new().await;
    bench.commit(&["a", "b"]).await;
    bench.fold().await;
    bench.commit(&["a"]).await;
    let place = bench.place().await;
    let slow = Round::read(&place).await.expect("reads");
    let slow_sums = sums(&slow.entries);
    let script = slow.script(&place, &slow_sums).await.expect("reads").expect("there is work");
    bench.forget(&["a"]).await;
    bench.fold().await;
    let place = bench.place().await;
    assert_eq!(place.link.call(&script).await.expect("answers").status, "moved");
    bench.check().await;
}

#[tokio::test]
async fn a_late_piece_does_not_forget_what_came_back() {
    let mut bench = Bench::new().await;
    bench.commit(&["a", "b"]).await;
    bench.fold().await;
    bench.forget(&["a"]).await;
    let place = bench.place().await;
    let slow = Round::read(&place).await.expect("reads");
    let slow_sums = sums(&slow.entries);
    let script = slow.script(&place, &slow_sums).await.expect("reads").expect("there is work");
    bench.commit(&["a"]).await;
    bench.fold().await;
    let place = bench.place().await;
    assert_eq!(place.link.call(&script).await.expect("answers").status, "moved");
    bench.check().await;
}

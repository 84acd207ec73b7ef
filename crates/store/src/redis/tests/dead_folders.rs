//! A folder that dies between any two of its scripts leaves a state from which others go on.

use super::*;

/// A folder that writes `count` pieces and never finishes.
async fn die_after(bench: &Bench, count: usize) {
    let place = bench.place().await;
    let round = Round::read(&place).await.expect("reads");
    let sums = sums(&round.entries);
    assert!(pieces(&sums).len() > 2, "the fold has several pieces");
    round.write_pieces(&place, &sums, count).await.expect("writes");
}

#[tokio::test]
async fn others_go_on_after_any_piece() {
    for count in [0, 1, 2, usize::MAX] {
        let mut bench = Bench::new().await;
        bench.commit_many().await;
        bench.commit(&["a"]).await;
        die_after(&bench, count).await;
        bench.check().await;
    }
}

#[tokio::test]
async fn others_go_on_after_several_of_the_dead() {
    let mut bench = Bench::new().await;
    for count in [2, 1, usize::MAX, 1] {
        bench.commit_many().await;
        bench.commit(&["a", "b"]).await;
        die_after(&bench, count).await;
        bench.check_load().await;
    }
    bench.check().await;
}

#[tokio::test]
async fn the_place_folded_to_stays_while_a_piece_is_missing() {
    let mut bench = Bench::new().await;
    // The second time, the hashes that are missing have markers from the first.
    for _ in 0..2 {
        bench.commit_many().await;
        let place = bench.place().await;
        let round = Round::read(&place).await.expect("reads");
        let sums = sums(&round.entries);
        round.write_pieces(&place, &sums, 1).await.expect("writes");
        assert!(is_moved(&round.finish(&place, &sums, 0).await));
        let all = round.write_pieces(&place, &sums, usize::MAX).await;
        all.expect("what is written is left alone");
        round.finish(&place, &sums, 0).await.expect("everything is written");
    }
    bench.check().await;
}

#[tokio::test]
async fn what_is_forgotten_half_way_is_forgotten_whole() {
    for count in [0, 1, 2, usize::MAX] {
        let mut bench = Bench::new().await;
        bench.commit_many().await;
        bench.fold().await;
        let hosts: Vec<String> = (0..MANY).step_by(2).map(|n| format!("many-{n}")).collect();
        bench.forget(&hosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        bench.commit_many().await;
        bench.forget(&["many-1", "many-2"]).await;
        die_after(&bench, count).await;
        bench.check_load().await;
        bench.check().await;
    }
}

//! The promise over random histories: no scrape goes back, and none misses what was committed.

use logtally_store::memory::MemoryContent;
use proptest::prelude::*;

use crate::testing::{Shown, World, scrape};

#[derive(Clone, Debug)]
enum Step {
    /// Some lines of a host, committed.
    Count(u8, u64),
    Fold,
    /// Time for the journal to be trimmed.
    Pass,
    /// Keep an image of the store.
    Image,
    /// The store loses everything after the image.
    RollBack,
    Scrape,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..5_u8, 1..10_u64).prop_map(|(host, n)| Step::Count(host, n)),
        2 => Just(Step::Fold),
        1 => Just(Step::Pass),
        1 => Just(Step::Image),
        1 => Just(Step::RollBack),
        4 => Just(Step::Scrape),
    ];
    prop::collection::vec(step, 1..60)
}

/// The first series that is lower in `now` than in `before`.
fn lower(before: &Shown, now: &Shown) -> Option<String> {
    let of = |series: &String| now.get(series).copied().unwrap_or(0);
    before.iter().find(|(series, n)| of(series) < **n).map(|(series, _)| series.clone())
}

/// What is in the store by a plain sum.
#[derive(Clone, Default)]
struct Truth(Shown);

impl Truth {
    fn count(&mut self, host: u8, n: u64) {
        *self.0.entry(format!("log_lines{{host=\"h{host}\"}}")).or_default() += n;
    }
}

async fn check(steps: Vec<Step>) {
    let world = World::new(3).await;
    let (exporter, _context) = world.exporter();
    let (mut truth, mut served) = (Truth::default(), Shown::new());
    let mut image: (MemoryContent, Truth) = (world.store.snapshot(), truth.clone());
    for step in steps {
        match step {
            Step::Count(host, n) => {
                world.count(&format!("h{host}"), n).await;
                truth.count(host, n);
            }
            Step::Fold => world.fold().await,
            Step::Pass => world.pass(60_000),
            Step::Image => image = (world.store.snapshot(), truth.clone()),
            Step::RollBack => {
                world.roll_back(&image.0);
                truth = image.1.clone();
            }
            Step::Scrape => match scrape(&exporter).await {
                Ok(page) => {
                    assert_eq!(lower(&served, &page), None, "went back");
                    assert_eq!(page, truth.0, "is not what is committed");
                    served = page;
                }
                Err(reason) => {
                    assert!(lower(&served, &truth.0).is_some(), "silent for no reason: {reason}");
                }
            },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_scrape_goes_back_or_misses_a_commit(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(steps));
    }
}

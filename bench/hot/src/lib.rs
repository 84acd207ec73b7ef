//! The hot loops of logtally, each on seeded data in memory, to be repeated as often as somebody
//! wants: what `benches/instructions` counts the instructions of.
//!
//! Must never measure anything itself, and never do anything but the loop in a repetition.

mod repetition;

mod text;

mod count;

mod increments;

mod store;

mod page;

use anyhow::Result;

use self::repetition::Repetition;

/// Something that is done again and again.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What its cost is divided by.
    pub unit: &'static str,
    /// How many of these a repetition has.
    pub units: u64,
    /// Repetitions that are enough to be exact.
    pub repetitions: u32,
    prepare: fn() -> Result<Repetition>,
}

/// All of them.
pub const CASES: [Case; 7] = [
    Case {
        name: "count narrow records",
        unit: "record",
        units: text::RECORDS as u64,
        repetitions: 4,
        prepare: count::narrow,
    },
    Case {
        name: "count wide quoted records",
        unit: "record",
        units: text::RECORDS as u64,
        repetitions: 2,
        prepare: count::wide,
    },
    Case {
        name: "count wide quoted records on the slow path",
        unit: "record",
        units: text::RECORDS as u64,
        repetitions: 2,
        prepare: count::wide_slow,
    },
    Case {
        name: "pack, check and merge increments",
        unit: "increment",
        units: increments::INCREMENTS as u64,
        repetitions: 5,
        prepare: increments::merge,
    },
    Case {
        name: "commit and fold increments in memory",
        unit: "increment",
        units: store::INCREMENTS as u64,
        repetitions: 5,
        prepare: store::commit,
    },
    Case {
        name: "load and write a page",
        unit: "series",
        units: page::SERIES as u64,
        repetitions: 2,
        prepare: page::load,
    },
    Case {
        name: "write a page again, half of it changed",
        unit: "series",
        units: page::SERIES as u64,
        repetitions: 6,
        prepare: page::again,
    },
];

impl Case {
    /// Prepares, and repeats so many times.
    pub fn run(&self, repetitions: u32) -> Result<()> {
        let mut repeat = (self.prepare)()?;
        (0..repetitions).try_for_each(|_| repeat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_runs_and_checks_itself() {
        for case in &CASES {
            case.run(2).unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
        }
    }
}

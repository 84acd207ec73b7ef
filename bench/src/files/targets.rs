//! What was promised for files, and whether it is so.

use serde::Serialize;

use super::case::{Case, Timed};
use super::peers::Peer;
use super::side::Side;
use super::workload::Kind;
use crate::table::figure;

/// Which way a figure must be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

/// Something that was promised.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What.
    pub what: &'static str,
    /// How much.
    pub wanted: Wanted,
    /// As measured; nothing if it was not.
    pub got: Option<f64>,
    /// Whether it is met.
    pub met: Option<bool>,
}

impl Target {
    fn new(what: &'static str, wanted: Wanted, got: Option<f64>) -> Self {
        let met = got.map(|got| match wanted {
            Wanted::AtMost(most) => got <= most,
            Wanted::AtLeast(least) => got >= least,
        });
        Self { what, wanted, got, met }
    }

    /// What is wanted and what was measured. Ratios below 1 are written as parts.
    pub fn written(&self) -> (String, String) {
        let wanted = match self.wanted {
            Wanted::AtMost(most) => format!("{} or less", ratio(most)),
            Wanted::AtLeast(least) => format!("{} or more", figure(least)),
        };
        let got = self.got.map(|got| match self.wanted {
            Wanted::AtMost(_) => ratio(got),
            Wanted::AtLeast(_) => figure(got),
        });
        (wanted, got.unwrap_or_else(|| "not measured".to_owned()))
    }

    /// In a word.
    pub fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        }
    }
}

fn ratio(value: f64) -> String {
    if value < 0.995 {
        format!("1/{}", figure(1.0 / value).trim_end_matches(".00"))
    } else {
        figure(value)
    }
}

/// All targets of these files.
pub fn targets(cases: &[Case]) -> Vec<Target> {
    let case = |kind| cases.iter().find(|case| case.kind == kind);
    let of = |kind, f: fn(&Timed) -> f64, side| case(kind)?.side(side).map(f);
    let against = |kind, peer| {
        Some(of(kind, Timed::ns, Side::OneThread)? / of(kind, Timed::ns, Side::Peer(peer))?)
    };
    let spread = |kind| {
        Some(of(kind, Timed::ns, Side::Distributed)? / of(kind, Timed::ns, Side::OneThread)?)
    };
    let faster = |kind| {
        Some(
            of(kind, Timed::seconds, Side::OneThread)?
                / of(kind, Timed::seconds, Side::TwoThreads)?,
        )
    };
    let per_second = of(Kind::Narrow, Timed::ns, Side::OneThread).map(|ns| 1e9 / ns);
    let at_most = |what, most, got| Target::new(what, Wanted::AtMost(most), got);
    let at_least = |what, least, got| Target::new(what, Wanted::AtLeast(least), got);
    vec![
        at_most("narrow, against DuckDB", 1.0 / 7.0, against(Kind::Narrow, Peer::Duckdb)),
        at_most("narrow, against mtail, per line", 1.0 / 250.0, against(Kind::Narrow, Peer::Mtail)),
        at_least("narrow, lines per CPU-second", 50e6, per_second),
        at_most("wide, against DuckDB", 1.0 / 4.0, against(Kind::Wide, Peer::Duckdb)),
        at_most("columns, against DuckDB", 1.0 / 6.0, against(Kind::Columns, Peer::Duckdb)),
        at_most("many, against DuckDB", 1.0, against(Kind::Many, Peer::Duckdb)),
        at_most("narrow, distributed against one process", 1.3, spread(Kind::Narrow)),
        at_most("many, distributed against one process", 1.3, spread(Kind::Many)),
        at_most("wide, distributed against one process", 1.3, spread(Kind::Wide)),
        at_most("columns, distributed against one process", 1.3, spread(Kind::Columns)),
        at_least("narrow, one file, two threads against one, wall", 1.8, faster(Kind::Narrow)),
        at_least("wide, one file, two threads against one, wall", 1.8, faster(Kind::Wide)),
        at_least("hostile, one file, two threads against one, wall", 1.8, faster(Kind::Hostile)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive_and_ratios_are_written_as_parts() {
        let target = |wanted, got| Target::new("x", wanted, got);
        let seventh = Wanted::AtMost(1.0 / 7.0);
        assert_eq!(target(seventh, Some(1.0 / 7.0)).verdict(), "met");
        assert_eq!(target(seventh, Some(0.15)).verdict(), "**missed**");
        assert_eq!(target(seventh, Some(0.15)).written(), ("1/7 or less".into(), "1/6.67".into()));
        assert_eq!(target(Wanted::AtLeast(1.8), Some(1.79)).met, Some(false));
        assert_eq!(target(Wanted::AtLeast(1.8), None).met, None);
    }
}

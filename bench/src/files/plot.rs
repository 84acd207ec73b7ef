//! The plot of all sides and files.

use super::case::{Case, Timed};
use super::report::Report;
use crate::svg::bars::{Bar, Group, plot as bars};

/// Processor time per record of every side, by file.
pub fn plot(report: &Report) -> String {
    let groups: Vec<Group> = report.cases.iter().map(group).collect();
    bars("CPU time per record (ns), logarithmic; less is better", &groups)
}

fn group(case: &Case) -> Group {
    let bar = |timed: &Timed| Bar {
        name: timed.side.name().replace('`', ""),
        value: timed.ns(),
        colour: timed.side.colour(),
    };
    let name = format!("{}: {}", case.kind, case.kind.describe());
    Group { name, bars: case.sides.iter().map(bar).collect() }
}

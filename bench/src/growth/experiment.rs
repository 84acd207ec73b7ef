//! One thing that grows, and what it costs at each size.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use crate::stats::median;
use crate::svg::lines::{Curve, Panel};
use crate::table::{Table, figure, grouped};

/// A table of costs by size.
#[derive(Clone, Debug, Serialize)]
pub struct Experiment {
    /// What is measured, with its unit.
    pub title: String,
    /// What grows.
    pub grows: &'static str,
    /// Names of the figures.
    pub figures: Vec<&'static str>,
    /// From the smallest size to the largest one.
    pub rows: Vec<Row>,
}

/// One size.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The size.
    pub size: u64,
    /// Medians, one for each name.
    pub medians: Vec<f64>,
    /// All runs.
    pub runs: Vec<Vec<f64>>,
}

impl Row {
    fn new(size: u64) -> Self {
        Self { size, medians: Vec::new(), runs: Vec::new() }
    }

    fn finish(&mut self) {
        let figures = self.runs.first().map_or(0, Vec::len);
        let column = |n: usize| median(self.runs.iter().map(|run| run[n]));
        self.medians = (0..figures).map(column).collect();
    }
}

/// Measures every size so many times; all sizes take turns, up and down.
pub fn rows(
    sizes: &[u64],
    runs: u32,
    mut measure: impl FnMut(u64) -> Result<Vec<f64>>,
) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = sizes.iter().copied().map(Row::new).collect();
    for run in 0..runs {
        let count = rows.len();
        for n in 0..count {
            let row = &mut rows[if run % 2 == 0 { n } else { count - 1 - n }];
            row.runs.push(measure(row.size)?);
        }
    }
    rows.iter_mut().for_each(Row::finish);
    Ok(rows)
}

impl Experiment {
    /// The plot.
    pub fn panel(&self) -> Panel {
        let curve = |(n, name): (usize, &&str)| Curve {
            name: (*name).to_owned(),
            points: self.rows.iter().map(|row| (row.size as f64, row.medians[n])).collect(),
        };
        let curves = self.figures.iter().enumerate().map(curve).collect();
        Panel { title: self.title.clone(), x: self.grows.to_owned(), curves }
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([self.grows].iter().chain(&self.figures).copied());
        for row in &self.rows {
            let cells = row.medians.iter().map(|value| figure(*value));
            table.row([grouped(row.size)].into_iter().chain(cells));
        }
        write!(f, "**{}**\n\n{table}", self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_turns_and_medians_are_taken_of_each_figure() {
        let mut order = Vec::new();
        let rows = rows(&[1, 2], 3, |size| {
            order.push(size);
            Ok(vec![size as f64, order.len() as f64])
        });
        let rows = rows.expect("measured");
        assert_eq!(order, [1, 2, 2, 1, 1, 2]);
        assert_eq!(rows[0].medians, [1.0, 4.0]);
        assert_eq!(rows[1].medians, [2.0, 3.0]);
    }
}

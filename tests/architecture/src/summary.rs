//! The workspace in numbers.

use std::collections::BTreeMap;
use std::fmt;

use crate::circles::{circles, size};
use crate::findings::{Rule, all, lines, public_types};
use crate::sizes;
use crate::types::all_types;
use crate::workspace::{Crate, Workspace};

/// Counts of the code of the workspace, without its tests.
pub struct Summary {
    rows: Vec<Row>,
    rules: BTreeMap<Rule, usize>,
    names: TypeNames,
}

/// The counts of some crates.
struct Row {
    name: String,
    files: usize,
    lines: usize,
    /// Sorted.
    functions: Vec<usize>,
    circles: usize,
    in_circles: usize,
}

/// Names of types of the product.
struct TypeNames {
    types: usize,
    names: usize,
    /// Names of more than one type, and how many types have these names.
    shared: usize,
    of_shared: usize,
    public: usize,
    public_shared: usize,
}

impl Summary {
    /// Counts.
    pub fn of(workspace: &Workspace) -> Self {
        let mut rows: Vec<Row> = workspace.crates.iter().map(row).collect();
        let product =
            |row: &&Row| workspace.crates.iter().any(|of| of.ships && of.name == row.name);
        let product = total("the product", rows.iter().filter(product));
        let everything = total("everything", rows.iter());
        rows.extend([product, everything]);
        let mut rules = BTreeMap::new();
        for finding in all(workspace) {
            *rules.entry(finding.rule).or_default() += 1;
        }
        Self { rows, rules, names: type_names(&workspace.crates) }
    }
}

fn row(of: &Crate) -> Row {
    let mut row = Row {
        name: of.name.clone(),
        files: 0,
        lines: lines(of),
        functions: Vec::new(),
        circles: 0,
        in_circles: 0,
    };
    for target in &of.targets {
        row.files += sizes::lines(&target.tree, &of.files).len();
        row.functions.extend(sizes::functions(&target.tree));
        for circle in circles(&target.uses.edges) {
            row.circles += 1;
            row.in_circles += size(&circle);
        }
    }
    row.functions.sort_unstable();
    row
}

fn total<'a>(name: &str, rows: impl Iterator<Item = &'a Row>) -> Row {
    let mut sum = Row {
        name: name.to_owned(),
        files: 0,
        lines: 0,
        functions: Vec::new(),
        circles: 0,
        in_circles: 0,
    };
    for row in rows {
        sum.files += row.files;
        sum.lines += row.lines;
        sum.functions.extend(&row.functions);
        sum.circles += row.circles;
        sum.in_circles += row.in_circles;
    }
    sum.functions.sort_unstable();
    sum
}

fn type_names(crates: &[Crate]) -> TypeNames {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for of in crates.iter().filter(|of| of.ships) {
        for target in &of.targets {
            for at in all_types(&target.tree) {
                *counts.entry(at.name).or_default() += 1;
            }
        }
    }
    let more: Vec<usize> = counts.values().copied().filter(|count| *count > 1).collect();
    let public = public_types(crates);
    TypeNames {
        types: counts.values().sum(),
        names: counts.len(),
        shared: more.len(),
        of_shared: more.iter().sum(),
        public: public.len(),
        public_shared: public.values().filter(|places| places.len() > 1).count(),
    }
}

impl Row {
    fn percentile(&self, percent: usize) -> usize {
        let last = self.functions.len().saturating_sub(1);
        self.functions.get(last * percent / 100).copied().unwrap_or(0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Without tests; the length of functions in lines (median / p90 / longest).")?;
        writeln!(f, "{:<22} files  lines  functions  length        circles  files in them", "")?;
        for row in &self.rows {
            let length = format!(
                "{} / {} / {}",
                row.percentile(50),
                row.percentile(90),
                row.percentile(100)
            );
            writeln!(
                f,
                "{:<22} {:>5} {:>6} {:>10}  {length:<12} {:>8} {:>14}",
                row.name,
                row.files,
                row.lines,
                row.functions.len(),
                row.circles,
                row.in_circles
            )?;
        }
        let TypeNames { types, names, shared, of_shared, public, public_shared } = &self.names;
        writeln!(
            f,
            "\nTypes of the product: {types} of {names} names; {shared} names mean more than one type ({of_shared} types)."
        )?;
        writeln!(f, "Public types: {public} names; {public_shared} mean more than one type.")?;
        writeln!(f, "\nFindings by rule:")?;
        for (rule, count) in &self.rules {
            writeln!(f, "{rule:?}: {count}")?;
        }
        Ok(())
    }
}

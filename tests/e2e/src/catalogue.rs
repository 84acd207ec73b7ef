//! The series that the tests write, how each looks as a line, and how many lines of each there are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exposition::{Counts, series};

/// How the lines of a file look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `host,job_name`, no header.
    Bare,
    /// Further columns after the two, no header.
    Wide,
    /// A header with other columns first, every field quoted, line feeds and quotes within fields.
    Header,
}

impl Style {
    const ALL: [Self; 3] = [Self::Bare, Self::Wide, Self::Header];

    /// The first line of a file of this style.
    pub fn header(self) -> &'static str {
        if self == Self::Header { "\"time\",\"job_name\",\"note\",\"host\"\n" } else { "" }
    }

    fn line(self, host: &str, job: &str) -> String {
        let (host, job) = (field(host), field(job));
        match self {
            Self::Bare => format!("{host},{job}\n"),
            Self::Wide => format!("{host},{job},2024-05-01T00:00:00Z,\"exit 0, 12 s\",\n"),
            Self::Header => format!("\"12:00\",{job},\"said \"\"done\"\",\nthen left\",{host}\n"),
        }
    }
}

/// A value as a CSV field, quoted where it has to be.
fn field(value: &str) -> String {
    if value.contains([',', '"', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// A fixed set of series, and the number of lines of each that have been written.
pub struct Catalogue {
    names: Vec<String>,
    lines: [Vec<String>; 3],
    index: HashMap<String, usize>,
    written: Vec<AtomicU64>,
}

impl Catalogue {
    /// `hosts` times `jobs` series. Some hosts have names that need quoting or escaping.
    pub fn new(hosts: usize, jobs: usize) -> Arc<Self> {
        let pairs: Vec<(String, String)> = (0..hosts)
            .flat_map(|h| (0..jobs).map(move |j| (host_name(h), format!("job{j}"))))
            .collect();
        let names: Vec<String> = pairs.iter().map(|(h, j)| series(h, j)).collect();
        let index = names.iter().cloned().zip(0..).collect();
        let lines = Style::ALL.map(|s| pairs.iter().map(|(h, j)| s.line(h, j)).collect());
        let written = names.iter().map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { names, lines, index, written })
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The line of a series, and one more on its account: so whoever writes the line has counted it
    /// before anybody can read it.
    pub fn take_line(&self, style: Style, which: usize) -> &str {
        self.written[which].fetch_add(1, Ordering::SeqCst);
        &self.lines[style as usize][which]
    }

    /// Lines of all series so far.
    pub fn total(&self) -> u64 {
        self.written.iter().map(|n| n.load(Ordering::SeqCst)).sum()
    }

    /// Lines per series so far, without those that have none.
    pub fn counts(&self) -> Counts {
        let counts = self.names.iter().zip(&self.written);
        let counts = counts.map(|(name, n)| (name.clone(), n.load(Ordering::SeqCst)));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// The first series of a page that has more than was ever written; described for a person.
    pub fn first_above(&self, page: &Counts) -> Option<String> {
        page.iter().find_map(|(name, shown)| {
            let written = self.index.get(name).map(|i| self.written[*i].load(Ordering::SeqCst));
            let above = *shown > written.unwrap_or(0);
            above.then(|| format!("{name} shows {shown}, and {written:?} were written"))
        })
    }
}

fn host_name(which: usize) -> String {
    match which % 10 {
        7 => format!("rack \"{which}\", left"),
        8 => format!("bäckup\\{which}"),
        _ => format!("server{which}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recount::Recount;

    #[test]
    fn every_style_says_the_same() {
        let catalogue = Catalogue::new(10, 3);
        let mut recount = Recount::default();
        for style in Style::ALL {
            let mut file = style.header().to_owned();
            (0..catalogue.len()).for_each(|i| file += catalogue.take_line(style, i));
            recount.add(file.as_bytes());
        }
        assert_eq!(recount.counts, catalogue.counts());
        assert_eq!(recount.records, catalogue.total());
    }

    #[test]
    fn a_page_above_what_was_written_is_noticed() {
        let catalogue = Catalogue::new(1, 1);
        catalogue.take_line(Style::Bare, 0);
        let page = |n| Counts::from([(series("server0", "job0"), n)]);
        assert_eq!(catalogue.first_above(&page(1)), None);
        assert!(catalogue.first_above(&page(2)).is_some());
        assert!(catalogue.first_above(&Counts::from([(series("x", "y"), 1)])).is_some());
    }
}

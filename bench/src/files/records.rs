//! The records of each kind of file, one after the other, from a seed.
//!
//! A file of fewer records is the beginning of one of more records, if both have the same keys.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::workload::{COLUMNS, HOST_COLUMN, JOB_COLUMN, Kind, host, job};

/// Texts of each kind, made once: random enough, and fast to write.
const TEXTS: usize = 256;

/// One of so many records of a hostile file has a field of [`LONG_BYTES`].
const LONG_EVERY: u32 = 2_000;
const LONG_BYTES: usize = 64 << 10;

/// Of so many per cent of wide records the message is quoted.
const QUOTED_PERCENT: u32 = 30;

/// A step between ranks of series that shares no factor with any number of series here: neighbours in
/// rank have nothing else in common.
const SHUFFLE: u64 = 7_919;

/// Where records come from.
pub struct Records {
    kind: Kind,
    rng: StdRng,
    /// `host,job_name` of each series.
    keys: Vec<String>,
    /// Bytes before the key, between its parts, and behind it.
    before: Vec<String>,
    between: Vec<String>,
    behind: Vec<String>,
    long: String,
}

impl Records {
    /// Those of a file of so many records.
    pub fn new(kind: Kind, records: u64, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (hosts, jobs) = kind.keys(records);
        let all = u64::from(hosts) * u64::from(jobs);
        let key = |rank: u64| {
            let which = rank * SHUFFLE % all;
            let (host_no, job_no) = (which / u64::from(jobs), which % u64::from(jobs));
            format!("{},{}", host(host_no as u32), job(job_no as u32))
        };
        let keys = (0..all).map(key).collect();
        let mut texts = |make: fn(Kind, &mut StdRng) -> String| {
            (0..TEXTS).map(|_| make(kind, &mut rng)).collect::<Vec<_>>()
        };
        let (before, between, behind) = (texts(before), texts(between), texts(behind));
        Self { kind, rng, keys, before, between, behind, long: long() }
    }

    /// Writes the next record, and says which series it belongs to.
    pub fn write(&mut self, to: &mut Vec<u8>) -> usize {
        let series = self.series();
        let (before, behind) = (self.pick(), self.pick());
        let key = &self.keys[series];
        to.extend_from_slice(self.before[before].as_bytes());
        match self.kind {
            Kind::Columns => {
                let (host, job) = key.split_once(',').unwrap_or_default();
                to.extend_from_slice(host.as_bytes());
                to.extend_from_slice(self.between[behind].as_bytes());
                to.extend_from_slice(job.as_bytes());
            }
            _ => to.extend_from_slice(key.as_bytes()),
        }
        let is_long = self.kind == Kind::Hostile && self.rng.random_range(0..LONG_EVERY) == 0;
        let behind = if is_long { &self.long } else { &self.behind[behind] };
        to.extend_from_slice(behind.as_bytes());
        series
    }

    /// The keys of all series, as `host,job_name`.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    #[expect(clippy::cast_sign_loss, reason = "a rank is 1 at least")]
    fn series(&mut self) -> usize {
        let all = self.keys.len();
        if self.kind == Kind::Many {
            return self.rng.random_range(0..all);
        }
        // The inverse of the distribution function of 1/n, up to rounding.
        let rank = (all as f64).powf(self.rng.random::<f64>());
        (rank as usize).clamp(1, all) - 1
    }

    fn pick(&mut self) -> usize {
        match self.kind {
            Kind::Narrow | Kind::Many => 0,
            _ => self.rng.random_range(0..TEXTS),
        }
    }
}

fn before(kind: Kind, rng: &mut StdRng) -> String {
    match kind {
        Kind::Narrow | Kind::Many => String::new(),
        Kind::Wide => format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}Z,",
            rng.random_range(1..29),
            rng.random_range(0..24),
            rng.random_range(0..60),
            rng.random_range(0..60)
        ),
        Kind::Columns => fields(rng, HOST_COLUMN) + ",",
        Kind::Hostile => {
            let notes =
                ["5\" disk,", "plain,", "say \"\"no\" \",", "\"quoted, \"\"here\"\"\",", ","];
            notes[rng.random_range(0..notes.len())].to_owned()
        }
    }
}

fn between(kind: Kind, rng: &mut StdRng) -> String {
    match kind {
        Kind::Columns => format!(",{},", fields(rng, JOB_COLUMN - HOST_COLUMN - 1)),
        _ => String::new(),
    }
}

fn behind(kind: Kind, rng: &mut StdRng) -> String {
    match kind {
        Kind::Narrow | Kind::Many => "\n".to_owned(),
        Kind::Wide => {
            let status = ["ok", "ok", "ok", "failed", "skipped"][rng.random_range(0..5)];
            format!(",{status},{},{}\n", rng.random_range(1..20_000), message(rng))
        }
        Kind::Columns => format!(",{}\n", fields(rng, COLUMNS - JOB_COLUMN - 1)),
        Kind::Hostile => format!(",{}\n", lines_in_quotes(rng)),
    }
}

/// Numbers and words, and one quoted field with a comma.
fn fields(rng: &mut StdRng, how_many: usize) -> String {
    let field = |which: usize| match which % 10 {
        3 => "\"left, right\"".to_owned(),
        5 | 8 => "some_text".to_owned(),
        _ => rng.random_range(1_000_000_u64..1_000_000_000).to_string(),
    };
    (0..how_many).map(field).collect::<Vec<_>>().join(",")
}

fn message(rng: &mut StdRng) -> String {
    if rng.random_range(0..100) >= QUOTED_PERCENT {
        return ["done", "exit code 0", "nothing to do"][rng.random_range(0..3)].to_owned();
    }
    let attempt = rng.random_range(1..10);
    match rng.random_range(0..3) {
        0 => format!("\"step \"\"load\"\", attempt {attempt}\""),
        1 => format!("\"attempt {attempt} failed\nnext try, later\""),
        _ => format!("\"table \"\"t{attempt}\"\"\nwas locked, waiting\""),
    }
}

/// A quoted field of some hundred bytes, part of which looks like records.
fn lines_in_quotes(rng: &mut StdRng) -> String {
    let mut text = "\"".to_owned();
    for _ in 0..rng.random_range(3..14) {
        text += match rng.random_range(0..4) {
            0 => "\nserver00000,job_0000_night\n",
            1 => "at \"\"main\"\", in a file\r\n",
            2 => "\"\"\n,,,\n\"\"",
            _ => "a line of a trace with some more text in it, 42\n",
        };
    }
    text + "\""
}

fn long() -> String {
    let line = "a long text with \"\"quotes\"\",\nand line ends\n";
    format!(",\"{}\"\n", line.repeat(LONG_BYTES / line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: Kind, lines: u64, seed: u64) -> Vec<u8> {
        let (mut records, mut text) = (Records::new(kind, 1_000, seed), Vec::new());
        for _ in 0..lines {
            records.write(&mut text);
        }
        text
    }

    #[test]
    fn a_shorter_file_is_the_beginning_of_a_longer_one_and_a_seed_decides_all() {
        for kind in Kind::ALL {
            let long = bytes(kind, 200, 1);
            assert!(long.starts_with(&bytes(kind, 100, 1)), "{kind}");
            assert_ne!(long, bytes(kind, 200, 2), "{kind}");
        }
    }

    #[test]
    fn records_are_as_long_as_promised() {
        let sizes = [Kind::Narrow, Kind::Wide, Kind::Columns, Kind::Hostile]
            .map(|kind| bytes(kind, 20_000, 1).len() / 20_000);
        let wanted = [27..28, 66..80, 900..1_100, 250..500];
        let fits = sizes.iter().zip(&wanted).all(|(size, wanted)| wanted.contains(size));
        assert!(fits, "{sizes:?}, wanted {wanted:?}");
    }
}

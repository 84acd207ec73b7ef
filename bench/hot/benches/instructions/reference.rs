//! The counts that are compared with, and when they may be.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use logtally_hot::Case;
use serde::{Deserialize, Serialize};

/// How much a loop may grow. Random seeds of hash tables change the counts by less than a tenth of it.
const TOLERANCE: f64 = 0.05;

/// The same for another compiler, which inlines other things.
const TOLERANCE_LOOSE: f64 = 0.25;

/// Most that counts of the same program may differ.
const SPREAD_MAX: f64 = 0.02;

/// The file with the counts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// Where they were counted.
    pub environment: Environment,
    /// By case.
    pub cases: Vec<Known>,
}

/// What changes counts without any change of the code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Environment {
    rustc: String,
    architecture: String,
    /// What the loops choose by, as far as callgrind shows it to them: it knows no AVX-512.
    features: String,
}

/// The count of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    case: String,
    unit: String,
    /// Instructions per unit: the one in the middle.
    instructions: f64,
    /// Between the least and the most of several counts, in parts of the one in the middle.
    spread: f64,
}

/// What came of a comparison.
pub(crate) struct Verdict<'a> {
    known: &'a Known,
    counted: f64,
    tolerance: f64,
}

/// What the processor can do, of the things that loops choose by.
pub(crate) fn features() -> String {
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
            ("pclmulqdq", std::arch::is_x86_feature_detected!("pclmulqdq")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
            ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
        ];
        found.extend(all.iter().filter(|(_, has)| *has).map(|(name, _)| name));
    }
    if found.is_empty() {
        found.push("none");
    }
    found.join(" ")
}

impl Environment {
    /// That of this machine.
    pub(crate) fn here(features: String) -> Result<Self> {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let output = Command::new(rustc).arg("--version").output().context("rustc --version")?;
        ensure!(output.status.success(), "rustc --version has failed");
        let rustc = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { rustc, architecture: std::env::consts::ARCH.to_owned(), features })
    }

    /// How much a loop may grow from here to there; `None` if the counts cannot be compared, because
    /// the loops are other ones.
    pub(crate) fn tolerance(&self, there: &Self) -> Option<f64> {
        let same = |of: fn(&Self) -> &str| of(self) == of(there);
        let is_comparable = same(|e| &e.architecture) && same(|e| &e.features);
        let tolerance = if same(|e| &e.rustc) { TOLERANCE } else { TOLERANCE_LOOSE };
        is_comparable.then_some(tolerance)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} with {}", self.rustc, self.architecture, self.features)
    }
}

impl Known {
    /// The count of a case, from several ones.
    pub(crate) fn new(case: &Case, counts: impl IntoIterator<Item = f64>) -> Self {
        let mut counts: Vec<f64> = counts.into_iter().collect();
        counts.sort_by(f64::total_cmp);
        let middle = counts[counts.len() / 2];
        let spread = (counts[counts.len() - 1] - counts[0]) / middle;
        let rounded = |n: f64, digits: f64| (n * digits).round() / digits;
        Self {
            case: case.name.to_owned(),
            unit: case.unit.to_owned(),
            instructions: rounded(middle, 10.0),
            spread: rounded(spread, 1e5),
        }
    }

    /// Compares a new count.
    pub(crate) fn compare(&self, counted: f64, tolerance: f64) -> Verdict<'_> {
        Verdict { known: self, counted, tolerance }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, unit, instructions, spread } = self;
        write!(f, "{case}: {instructions:.1} instructions per {unit}, ± {:.2} %", spread * 50.0)
    }
}

impl Verdict<'_> {
    fn growth(&self) -> f64 {
        self.counted / self.known.instructions - 1.0
    }

    /// Whether the loop has grown too much.
    pub(crate) fn is_growth(&self) -> bool {
        self.growth() > self.tolerance
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Known { case, unit, instructions, .. } = self.known;
        let (growth, tolerance) = (self.growth() * 100.0, self.tolerance * 100.0);
        let counted = self.counted;
        write!(
            f,
            "{case}: {counted:.1} instructions per {unit}, {growth:+.2} % of {instructions:.1}"
        )?;
        if self.is_growth() {
            write!(f, ": TOO MANY, at most {tolerance:.0} % more")?;
        } else if self.growth() < -self.tolerance {
            write!(f, ": fewer; renew the reference with scripts/instructions.sh --update")?;
        }
        Ok(())
    }
}

impl Reference {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        for known in &self.cases {
            ensure!(known.spread <= SPREAD_MAX, "{known}: too uncertain to be a reference");
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The count of a case.
    pub(crate) fn of(&self, case: &Case) -> Option<&Known> {
        self.cases.iter().find(|known| known.case == case.name)
    }
}

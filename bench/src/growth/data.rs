//! Files of lines with equally frequent series, made once and kept.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Jobs on each host.
const JOBS: u64 = 1_000;

/// A folder of files.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many.
    pub files: u64,
    /// Lines in all of them together.
    pub lines: u64,
    /// Series in all of them together.
    pub series: u64,
}

impl Shape {
    /// The glob of the files; they are written if they are not there.
    pub fn prepare(self, folder: &Path) -> Result<PathBuf> {
        let Self { files, lines, series } = self;
        let own = folder.join(format!("growth-{files}-{lines}-{series}"));
        if !own.exists() {
            eprintln!("writing {}", own.display());
            let new = own.with_extension("new");
            fs::create_dir_all(&new)?;
            let mut rng = StdRng::seed_from_u64(1);
            for file in 0..files {
                let lines = lines / files + u64::from(file < lines % files);
                let mut to = BufWriter::new(File::create(new.join(format!("{file}.csv")))?);
                to.write_all(b"host,job_name\n")?;
                (0..lines).try_for_each(|_| line(&mut to, rng.random_range(0..series)))?;
                to.into_inner()?;
            }
            fs::rename(new, &own)?;
        }
        Ok(own.join("*.csv"))
    }
}

/// Writes a line of 27 bytes.
pub fn line(to: &mut impl Write, series: u64) -> Result<()> {
    Ok(writeln!(to, "server{:05},job_{:04}_night", series / JOBS, series % JOBS)?)
}

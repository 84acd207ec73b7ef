//! What a push comes to: families, and increments of their series.

use logtally_core::limits::DELTA_BYTES_MAX;
use logtally_core::series::{Family, Increments};

use crate::error::ExpositionError;

/// What a push counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pushed {
    /// The families of the increments.
    pub families: Vec<Family>,
    /// The increments.
    pub increments: Increments,
}

impl Pushed {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for family in other.families {
            if !self.families.contains(&family) {
                self.families.push(family);
            }
        }
        let increments = Increments::merge([&self.increments, &other.increments]);
        Self { families: self.families, increments }
    }

    /// Refuses what is too large for one commit: its increments, and its families as well, which travel
    /// in the same message.
    pub fn check_size(&self) -> Result<(), ExpositionError> {
        let families: usize = self.families.iter().map(|family| family.encode().len()).sum();
        let bytes = self.increments.len() + families;
        if bytes > DELTA_BYTES_MAX { Err(ExpositionError::TooLarge) } else { Ok(()) }
    }
}

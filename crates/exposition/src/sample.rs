//! The values of samples as exact numbers, with errors that name the sample. Must never ask which metric
//! a sample belongs to.

use logtally_core::decimal::Decimal;

use crate::error::LineProblem;
use crate::number;
use crate::text::Sample;

/// The value of a sample.
pub(crate) fn decimal(sample: &Sample<'_>) -> Result<Decimal, LineProblem> {
    let name = || sample.name.to_owned();
    number::value(sample.value).map_err(|error| LineProblem::Value { name: name(), error })
}

/// The value of a sample that counts observations.
pub(crate) fn observations(sample: &Sample<'_>) -> Result<u64, LineProblem> {
    let name = || sample.name.to_owned();
    number::count(sample.value).map_err(|error| LineProblem::Value { name: name(), error })
}

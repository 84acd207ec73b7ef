//! Why the body of a push is refused: where, and what to do about it.

use logtally_core::limits::{BUCKETS_MAX, DELTA_BYTES_MAX, LABELS_MAX};

use crate::number::NumberError;
use crate::text::SyntaxError;

/// Why the body of a push is refused, all of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExpositionError {
    /// A line of it.
    #[error("line {line}: {problem}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// It makes too much of one commit.
    #[error(
        "the series of this push take more than {DELTA_BYTES_MAX} bytes, with the labels of the group \
         in each; push them in several parts"
    )]
    TooLarge,
}

/// What is wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineProblem {
    /// It cannot be read.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Its value cannot be used.
    #[error("the value of `{name}`: {error}")]
    Value {
        /// The name of the sample.
        name: String,
        /// Why.
        error: NumberError,
    },
    /// Its bound cannot be used.
    #[error("the bound of a bucket of `{name}`: {error}")]
    Bound {
        /// The name of the metric.
        name: String,
        /// Why.
        error: NumberError,
    },
    /// A name that is kept for others.
    #[error(
        "`{0}` cannot be pushed: logtally_… and the times of pushes are kept by logtally itself"
    )]
    ReservedName(String),
    /// A second help.
    #[error("a second HELP of `{0}`")]
    HelpTwice(String),
    /// A second type.
    #[error("a second TYPE of `{0}`; a metric has one type")]
    TypeTwice(String),
    /// A type behind its samples.
    #[error("the TYPE of `{0}` stands behind its samples; it must stand before them")]
    TypeLate(String),
    /// A metric whose samples have the name of another one.
    #[error("`{name}` is the name of samples of another metric as well; a name has one type")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// A series that was there already.
    #[error(
        "a series of `{0}` stands here a second time, perhaps because the labels of the group take the \
         place of its own"
    )]
    SeriesTwice(String),
    /// Too many labels.
    #[error(
        "a series of `{0}` has more than {LABELS_MAX} labels, those of the group and of buckets included"
    )]
    TooManyLabels(String),
    /// A counter that would go down.
    #[error("`{0}` is negative; a counter never goes down")]
    Negative(String),
    /// A sample that its metric does not have.
    #[error("`{0}` is a histogram, which has samples _bucket, _sum and _count only")]
    NotOfHistogram(String),
    /// A bucket without its bound.
    #[error("a bucket of `{0}` has no label `le`")]
    NoBound(String),
    /// A bound that is none of a bucket.
    #[error("`{0}` has a label `le`, which only buckets have")]
    StrayBound(String),
    /// A quantile without its label.
    #[error("`{0}` is a summary, whose samples have a label `quantile`, or are _sum and _count")]
    NoQuantile(String),
    /// Bounds that do not ascend.
    #[error("the bounds of the buckets of `{0}` must ascend, each once")]
    BoundOrder(String),
    /// A bucket with less than the one before.
    #[error(
        "a bucket of `{0}` has less than the one before it; buckets count all below their bound"
    )]
    NotCumulative(String),
    /// Too many buckets.
    #[error("a histogram has at most {BUCKETS_MAX} buckets beside +Inf, `{0}` has more")]
    TooManyBuckets(String),
    /// Something of a histogram is missing.
    #[error("a series of `{name}` has no `{missing}`")]
    Incomplete {
        /// The name of the metric.
        name: String,
        /// What is missing.
        missing: &'static str,
    },
    /// The last bucket is not the count.
    #[error("the bucket +Inf of `{name}` has {infinite}, and its _count says {count}")]
    CountDiffers {
        /// The name of the metric.
        name: String,
        /// The last bucket.
        infinite: u64,
        /// The count.
        count: u64,
    },
    /// A sum of nothing.
    #[error("the sum of `{0}` is not 0, but it has no observations")]
    SumOfNothing(String),
}

impl LineProblem {
    /// The problem at its place.
    pub(crate) fn at(self, line: usize) -> ExpositionError {
        ExpositionError::Line { line, problem: self }
    }
}

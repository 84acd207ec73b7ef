//! What a recount yields: records and their values. Never how they are read.

use logtally_core::rule::Reject;

/// The wanted values of a record: `None` where it has none.
pub type Values = Vec<Option<Vec<u8>>>;

/// One record that is no header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where it begins in the input.
    pub offset: u64,
    /// Just after it, terminator included.
    pub end: u64,
    /// Its wanted values, in the order in which they were wanted, or why it is rejected.
    pub values: Result<Values, Reject>,
}

/// Puts the whole record where it is wanted.
pub(crate) fn add_line(values: &mut Values, wanted: &[String], record: &[u8]) {
    for (value, name) in values.iter_mut().zip(wanted) {
        if name == "@line" {
            *value = Some(record.to_vec());
        }
    }
}

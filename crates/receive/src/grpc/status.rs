//! Errors as gRPC tells them: a code, a reason for programs, a sentence for people, and when to try
//! again.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::PushError;

/// Whose reasons they are.
const DOMAIN: &str = "logtally";

/// The status for an error.
pub(super) fn status(error: &PushError) -> Status {
    let (code, reason) = code(error);
    let mut details = ErrorDetails::new();
    let metadata = match error {
        PushError::Gap { sequence } => HashMap::from([("sequence".into(), sequence.to_string())]),
        _ => HashMap::new(),
    };
    details.set_error_info(reason, DOMAIN, metadata);
    if let PushError::Invalid { field, message }
    | PushError::Unsupported { header: field, message } = error
    {
        details.add_bad_request_violation(*field, message);
    }
    if let Some(after) = error.retry_after() {
        details.set_retry_info(Some(after));
    }
    Status::with_error_details(code, error.to_string(), details)
}

/// The code and the reason.
fn code(error: &PushError) -> (Code, &'static str) {
    match error {
        PushError::Invalid { .. } | PushError::Unsupported { .. } => {
            (Code::InvalidArgument, "INVALID")
        }
        PushError::TooLarge => (Code::InvalidArgument, "TOO_LARGE"),
        PushError::TooManySeries { .. } => (Code::InvalidArgument, "TOO_MANY_SERIES"),
        PushError::Fenced => (Code::FailedPrecondition, "PRODUCER_FENCED"),
        PushError::Unknown => (Code::NotFound, "PRODUCER_UNKNOWN"),
        PushError::Gap { .. } => (Code::OutOfRange, "SEQUENCE_GAP"),
        PushError::Conflict { .. } => (Code::AlreadyExists, "CONTENT_CONFLICT"),
        PushError::Damaged { .. } => (Code::DataLoss, "CONTENT_DAMAGED"),
        PushError::Busy => (Code::ResourceExhausted, "BUSY"),
        PushError::Draining => (Code::Unavailable, "DRAINING"),
        PushError::NoAggregator => (Code::Unavailable, "NO_AGGREGATOR"),
        PushError::Unanswered => (Code::Unavailable, "UNANSWERED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_learn_the_reason_and_people_the_way_out() {
        let gap = status(&PushError::Gap { sequence: 7 });
        let info = gap.get_details_error_info().expect("it has a reason");
        assert_eq!((gap.code(), info.reason.as_str()), (Code::OutOfRange, "SEQUENCE_GAP"));
        assert_eq!(info.metadata["sequence"], "7");
        let busy = status(&PushError::Busy);
        let delay = busy.get_details_retry_info().and_then(|retry| retry.retry_delay);
        assert!(delay.is_some_and(|delay| !delay.is_zero()), "{busy:?}");
        let wrong = status(&PushError::invalid("format", "no such format"));
        let fields = wrong.get_details_bad_request().expect("it names the field");
        assert_eq!(fields.field_violations[0].field, "format");
    }
}

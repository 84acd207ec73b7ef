//! What an error of an ingest means for the producer: try again, go back, open again, or give up.
//! Decides by the details of the error first, and by its code only without them.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The domain of our reasons.
const DOMAIN: &str = "logtally";

/// What to do about a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Try again, elsewhere, at the earliest after the time that was asked for.
    Retry { reason: String, after: Option<Duration> },
    /// The store has messages up to this one and no more.
    Gap { sequence: u64 },
    /// The store knows nothing of the producer.
    Unknown,
    /// Somebody else is the producer now.
    Fenced,
    /// It would fail again.
    Refused { reason: String, message: String },
}

impl Fault {
    /// A failure that the next attempt may not have.
    pub(crate) fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }
}

impl From<&Status> for Fault {
    fn from(status: &Status) -> Self {
        let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
        let reason = info.as_ref().map(|info| info.reason.as_str());
        match reason {
            Some("PRODUCER_FENCED") => Self::Fenced,
            Some("PRODUCER_UNKNOWN") => Self::Unknown,
            Some("SEQUENCE_GAP") => {
                let sequence = info.as_ref().and_then(|info| info.metadata.get("sequence"));
                match sequence.and_then(|text| text.parse().ok()) {
                    Some(sequence) => Self::Gap { sequence },
                    None => refused(status, reason),
                }
            }
            // The content was good when its hash was made, so the way damaged it.
            Some("CONTENT_DAMAGED" | "BUSY" | "DRAINING" | "NO_AGGREGATOR") => retry(status),
            Some(_) => by_code(status, reason),
            None => by_code(status, None),
        }
    }
}

fn by_code(status: &Status, reason: Option<&str>) -> Fault {
    match status.code() {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Aborted
        // Connections that break show as these, depending on where they break.
        | Code::Cancelled
        | Code::Internal
        | Code::Unknown
        | Code::Ok => retry(status),
        _ => refused(status, reason),
    }
}

fn retry(status: &Status) -> Fault {
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    Fault::Retry { reason: text(status), after }
}

fn refused(status: &Status, reason: Option<&str>) -> Fault {
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations);
    let fields = fields.unwrap_or_default().into_iter();
    let fields: Vec<_> = fields.map(|f| format!("{}: {}", f.field, f.description)).collect();
    let message = match (status.message(), fields.join("; ")) {
        ("", fields) => fields,
        (message, fields) if fields.is_empty() => message.to_owned(),
        (message, fields) => format!("{message}: {fields}"),
    };
    let reason = reason.map_or_else(|| format!("{:?}", status.code()), str::to_owned);
    Fault::Refused { reason, message }
}

fn text(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let metadata: HashMap<_, _> = metadata.iter().map(own).collect();
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        details.set_retry_info(Some(Duration::from_secs(2)));
        Status::with_error_details(code, "text", details)
    }

    #[test]
    fn reasons_decide() {
        let fault = |code, reason| Fault::from(&status(code, reason, &[("sequence", "7")]));
        assert_eq!(fault(Code::FailedPrecondition, "PRODUCER_FENCED"), Fault::Fenced);
        assert_eq!(fault(Code::NotFound, "PRODUCER_UNKNOWN"), Fault::Unknown);
        assert_eq!(fault(Code::OutOfRange, "SEQUENCE_GAP"), Fault::Gap { sequence: 7 });
        let after = Some(Duration::from_secs(2));
        for (code, reason) in [
            (Code::ResourceExhausted, "BUSY"),
            (Code::Unavailable, "DRAINING"),
            (Code::Unavailable, "NO_AGGREGATOR"),
            (Code::DataLoss, "CONTENT_DAMAGED"),
        ] {
            let text = format!("{code:?}: text");
            assert_eq!(fault(code, reason), Fault::Retry { reason: text, after }, "{reason}");
        }
        for (code, reason) in
            [(Code::AlreadyExists, "CONTENT_CONFLICT"), (Code::InvalidArgument, "TOO_MANY_SERIES")]
        {
            let (name, message) = (reason.to_owned(), "text".to_owned());
            assert_eq!(fault(code, reason), Fault::Refused { reason: name, message });
        }
    }

    #[test]
    fn without_a_reason_the_code_decides() {
        let is_retry = |code| matches!(Fault::from(&Status::new(code, "")), Fault::Retry { .. });
        for code in [Code::Unavailable, Code::Aborted, Code::DeadlineExceeded, Code::Internal] {
            assert!(is_retry(code), "{code:?}");
        }
        for code in [Code::NotFound, Code::OutOfRange, Code::Unimplemented, Code::PermissionDenied]
        {
            assert!(!is_retry(code), "{code:?}");
        }
    }

    #[test]
    fn a_gap_without_its_place_and_the_reasons_of_others_are_refused() {
        let gap = status(Code::OutOfRange, "SEQUENCE_GAP", &[]);
        assert!(matches!(Fault::from(&gap), Fault::Refused { .. }));
        let details = ErrorDetails::with_error_info("PRODUCER_UNKNOWN", "other", HashMap::new());
        let foreign = Status::with_error_details(Code::NotFound, "", details);
        assert!(matches!(Fault::from(&foreign), Fault::Refused { .. }));
    }

    #[test]
    fn wrong_fields_are_named() {
        let details = ErrorDetails::with_bad_request_violation("format", "there is no format `x`");
        let status = Status::with_error_details(Code::InvalidArgument, "", details);
        let message = "format: there is no format `x`".to_owned();
        let reason = "InvalidArgument".to_owned();
        assert_eq!(Fault::from(&status), Fault::Refused { reason, message });
    }
}

//! What a family's time-to-live hides.
//!
//! All times are a journal's, milliseconds since 1970: whoever took in the same entries hides the same
//! rows. Hidden is not forgotten; what was counted stays in the store.

use super::family::Family;

/// The time at which a row is hidden that is never hidden.
pub const NEVER_HIDES: u64 = u64::MAX;

/// When a row of `family` is hidden whose last increment was at `touched_ms`, if nothing is counted
/// before. A series whose rows hide at several times is hidden at the latest of them.
///
/// | the family | a row hides |
/// | --- | --- |
/// | has no time-to-live | never |
/// | has one | that long after its last increment |
#[inline]
pub fn hides_at(family: &Family, touched_ms: u64) -> u64 {
    match family.ttl_s {
        0 => NEVER_HIDES,
        ttl_s => touched_ms.saturating_add(ttl_s.saturating_mul(1000)),
    }
}

/// Whether what hides at `hides_at` is hidden at `now_ms`: from that very millisecond on.
#[inline]
pub fn is_hidden(hides_at: u64, now_ms: u64) -> bool {
    hides_at != NEVER_HIDES && hides_at <= now_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Kind;

    #[test]
    fn a_row_is_hidden_from_the_end_of_its_time_to_live() {
        let check = |ttl_s, touched_ms, now_ms, expected| {
            let family = Family { ttl_s, ..Family::new("n", Kind::Gauge, "", &[]) };
            let hidden = is_hidden(hides_at(&family, touched_ms), now_ms);
            assert_eq!(hidden, expected, "ttl {ttl_s} s, touched {touched_ms}, now {now_ms}");
        };
        check(0, 0, u64::MAX, false);
        check(0, 5, u64::MAX - 1, false);
        check(1, 5_000, 5_999, false);
        check(1, 5_000, 6_000, true);
        check(1, 0, 999, false);
        check(1, 0, 1_000, true);
        check(u64::MAX, 1, u64::MAX, false);
    }
}

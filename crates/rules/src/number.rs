//! Decimals in records.

use logtally_core::decimal::Decimal;

use crate::columns::Columns;
use crate::error::Wrong;
use crate::matched::Matched;
use crate::row::Row;
use crate::spec::{Invalid, ValueSpec};
use logtally_core::rule::Reject;

/// Where a rule's number comes from.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    slot: usize,
    scale: Option<Decimal>,
    invalid: Fallback,
}

#[derive(Clone, Copy, Debug)]
enum Fallback {
    Reject,
    Skip,
    Default(Decimal),
}

impl Number {
    pub(crate) fn compile(spec: &ValueSpec, columns: &mut Columns) -> Result<Self, Wrong> {
        let decimal = |field: &str, text: &str| {
            Decimal::parse(text.as_bytes())
                .map_err(|e| Wrong::new(field, format!("{text:?} is {e}")))
        };
        let scale = spec.scale.as_deref().map(|text| decimal("value.scale", text)).transpose()?;
        let invalid = match &spec.invalid {
            Invalid::Reject => Fallback::Reject,
            Invalid::Skip => Fallback::Skip,
            Invalid::Default(text) => Fallback::Default(decimal("value.invalid", text)?),
        };
        Ok(Self { slot: columns.slot(&spec.column), scale, invalid })
    }

    /// The record's number.
    pub(crate) fn of(&self, row: &impl Row) -> Matched<Decimal> {
        let value = row.number(self.slot).and_then(|value| self.scaled(value));
        match (value, self.invalid) {
            (Some(value), _) | (None, Fallback::Default(value)) => Matched::Yes(value),
            (None, Fallback::Skip) => Matched::No,
            (None, Fallback::Reject) => Matched::Rejected(Reject::NotANumber),
        }
    }

    fn scaled(&self, value: Decimal) -> Option<Decimal> {
        match self.scale {
            Some(scale) => value.checked_mul(scale),
            None => Some(value),
        }
    }
}

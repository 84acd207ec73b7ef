//! From the specification of a condition to a condition.

use logtally_core::decimal::Decimal;

use crate::cel;
use crate::columns::Columns;
use crate::condition::Condition;
use crate::error::Wrong;
use crate::spec;
use crate::time::{Time, rfc3339};

/// Compiles the condition of a field. Its columns get slots.
pub(crate) fn compile_condition(
    field: &str,
    condition: &spec::Condition,
    columns: &mut Columns,
) -> Result<Condition, Wrong> {
    Ok(match condition {
        spec::Condition::All(parts) => Condition::All(compile_all(field, parts, columns)?),
        spec::Condition::Any(parts) => Condition::Any(compile_all(field, parts, columns)?),
        spec::Condition::Not(part) => {
            Condition::Not(Box::new(compile_condition(field, part, columns)?))
        }
        spec::Condition::Exists(column) => {
            Condition::Not(Box::new(Condition::texts(columns.slot(column), [""])))
        }
        spec::Condition::In { column, values } => {
            Condition::texts(columns.slot(column), values.iter().map(String::as_str))
        }
        spec::Condition::Matches { column, regex: text } => {
            Condition::matches(field, columns.slot(column), text)?
        }
        spec::Condition::Number { column, compare, with } => {
            let with = Decimal::parse(with.as_bytes())
                .map_err(|e| Wrong::new(field, format!("{with:?} is {e}")))?;
            Condition::Number(columns.slot(column), *compare, with)
        }
        spec::Condition::Time { time, compare, with } => {
            let with = rfc3339(with).ok_or_else(|| {
                Wrong::new(field, format!("{with:?} is not a time"))
                    .help("write it as 2026-01-31T12:00:00Z")
            })?;
            Condition::Time(Time::compile(field, time, columns)?, *compare, with)
        }
        spec::Condition::Cel(source) => cel::compile(field, source, columns)?,
    })
}

fn compile_all(
    field: &str,
    parts: &[spec::Condition],
    columns: &mut Columns,
) -> Result<Vec<Condition>, Wrong> {
    let mut compiled = Vec::new();
    for part in parts {
        compiled.push(compile_condition(field, part, columns)?);
    }
    Ok(compiled)
}

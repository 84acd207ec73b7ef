//! Conditions that are left to the CEL library, record by record.

use ::cel::{Context, IdedExpr, Value};

use crate::row::Row;

/// An expression that the CEL library evaluates. Its columns are variables.
#[derive(Clone, Debug)]
pub(crate) struct CelCondition {
    expression: IdedExpr,
    variables: Vec<(String, usize)>,
}

impl CelCondition {
    /// An expression whose columns are replaced by these variables, each with its slot.
    pub(crate) fn new(expression: IdedExpr, variables: Vec<(String, usize)>) -> Self {
        Self { expression, variables }
    }

    /// Whether the record fulfils the condition.
    pub(crate) fn holds(&self, row: &impl Row) -> bool {
        thread_local! {
            static BASE: Context<'static, 'static> = Context::default();
        }
        BASE.with(|base| {
            let mut context = base.new_inner_scope();
            for (name, slot) in &self.variables {
                let text = String::from_utf8_lossy(row.get(*slot).unwrap_or_default());
                context.add_variable_from_value(name.clone(), text.into_owned());
            }
            matches!(context.resolve(&self.expression), Ok(Value::Bool(true)))
        })
    }
}

//! The rules of one input, compiled together.

use crate::columns::Columns;
use crate::compile::compile;
use crate::error::RuleError;
use crate::rule::Rule;
use crate::select::Selector;
use crate::spec::RuleSpec;

/// The rules of one input, ready for records.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    columns: Columns,
    rules: Vec<Rule>,
    selector: Selector,
}

impl RuleSet {
    /// Compiles rules. All errors are found, not only the first one.
    pub fn compile(specs: &[RuleSpec]) -> Result<Self, Vec<RuleError>> {
        let mut columns = Columns::default();
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (index, spec) in specs.iter().enumerate() {
            match compile(spec, &mut columns) {
                Ok(rule) => rules.push(rule),
                Err(wrong) => errors.push(wrong.in_rule(index)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let selector = Selector::new(rules.iter().map(|rule| rule.condition.as_ref()));
        Ok(Self { columns, rules, selector })
    }

    /// The columns that the rules use: the cell of a slot is the column's value.
    #[inline]
    pub fn columns(&self) -> &[String] {
        self.columns.columns()
    }

    /// The placeholders of the path that the rules use.
    pub fn placeholders(&self) -> &[String] {
        self.columns.placeholders()
    }

    /// The rules.
    #[inline]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether every rule counts records, and every label is an unmodified column value: then the
    /// columns' texts alone say what a record counts.
    pub fn is_plain(&self) -> bool {
        self.rules.iter().all(|rule| rule.plain.is_some())
    }

    pub(crate) fn selector(&self) -> &Selector {
        &self.selector
    }
}

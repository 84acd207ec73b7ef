//! Where everything stands, for errors that are found later, when the rules are compiled. Only finds
//! places; keeps no values but those of the file itself.

use crate::diagnostic::Location;
use crate::tree::{Node, Value};

/// Where the rules of an input stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RulesOrigin {
    /// In the input.
    Own,
    /// At the top.
    Shared,
    /// Nowhere: it is the default rule.
    Default,
}

/// Where an input stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct InputPosition {
    /// Its index in the file; `None` if the file has no inputs.
    pub index: Option<usize>,
    /// Where its rules stand.
    pub rules: RulesOrigin,
}

/// The file, and where its inputs and rules stand in it.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Positions {
    pub file: String,
    pub text: String,
    pub root: Option<Node>,
    pub inputs: Vec<InputPosition>,
}

impl Positions {
    /// The place of a field of an input, or of one of its rules; or the nearest one on the way there.
    pub(crate) fn of(&self, input: usize, rule: Option<usize>, field: &str) -> Location {
        let (Some(root), Some(position)) = (&self.root, self.inputs.get(input)) else {
            return Location::file(&self.file);
        };
        let at_input = position.index.map(|index| root.nearest(&format!("inputs.{index}")));
        let at_rule = match (rule, position.rules) {
            (Some(rule), RulesOrigin::Own) => {
                at_input.map(|input| input.nearest(&format!("rules.{rule}")))
            }
            (Some(rule), RulesOrigin::Shared) => Some(root.nearest(&format!("rules.{rule}"))),
            _ => None,
        };
        match at_rule.filter(|rule| !is_inherited(rule, field)).or(at_input) {
            Some(node) => self.location(node.nearest(field)),
            None => Location::file(&self.file),
        }
    }

    fn location(&self, node: &Node) -> Location {
        Location::new(&self.file, &self.text, node.mark)
    }
}

/// Whether a field is a label that the rule does not set itself.
fn is_inherited(rule: &Node, field: &str) -> bool {
    let Some(label) = field.strip_prefix("labels.") else { return false };
    let name = label.split('.').next().unwrap_or(label);
    match rule.get("labels") {
        None => true,
        Some(labels) => match &labels.value {
            Value::List(items) => items.iter().all(|item| item.value != Value::Text(name.into())),
            _ => labels.get(name).is_none(),
        },
    }
}

//! Which rules can match a record at all, found without asking each: rules that need a column to have
//! one of a few texts are looked up by the column's value.

use hashbrown::HashMap;

use crate::condition::Condition;
use crate::row::Row;

/// Finds the rules whose required texts agree with a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    /// Rules that cannot be told by a text.
    always: Vec<u32>,
    /// By column: the rules that need one of some texts there.
    by_text: Vec<ByText>,
}

/// The rules that need one of some texts in a column.
#[derive(Clone, Debug)]
struct ByText {
    slot: usize,
    /// Whether a text begins with a byte: most values are told from all texts by that alone. The
    /// empty text counts as one that begins with NUL.
    begins: [bool; 256],
    rules: HashMap<Box<[u8]>, Vec<u32>>,
}

impl ByText {
    fn first(text: &[u8]) -> usize {
        text.first().copied().unwrap_or(0).into()
    }

    fn rules(&self, text: &[u8]) -> Option<&Vec<u32>> {
        if self.begins[Self::first(text)] { self.rules.get(text) } else { None }
    }
}

impl Selector {
    /// A selector for rules with these conditions.
    pub(crate) fn new<'a>(conditions: impl Iterator<Item = Option<&'a Condition>>) -> Self {
        let mut selector = Self::default();
        for (rule, condition) in conditions.enumerate() {
            match condition.and_then(Condition::required_texts) {
                Some((slot, texts)) => selector.insert(rule as u32, slot, texts),
                None => selector.always.push(rule as u32),
            }
        }
        selector
    }

    fn insert(&mut self, rule: u32, slot: usize, texts: &[Box<[u8]>]) {
        let at = self.by_text.iter().position(|column| column.slot == slot).unwrap_or_else(|| {
            let (begins, rules) = ([false; 256], HashMap::new());
            self.by_text.push(ByText { slot, begins, rules });
            self.by_text.len() - 1
        });
        let column = &mut self.by_text[at];
        for text in texts {
            column.begins[ByText::first(text)] = true;
            column.rules.entry(text.clone()).or_default().push(rule);
        }
    }

    /// The rules that may match the record, in their order.
    pub(crate) fn candidates(&self, row: &impl Row, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        for column in &self.by_text {
            if let Some(found) = column.rules(row.get(column.slot).unwrap_or_default()) {
                out.extend_from_slice(found);
            }
        }
        if out.len() > self.always.len() {
            out.sort_unstable();
        }
    }
}

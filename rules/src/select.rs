//! Which rules can take a record at all, found without asking each: rules that need a column to have
//! one of a few texts are looked up by the column's value.

use hashbrown::HashMap;

use crate::condition::Condition;
use crate::evaluate::Row;

/// Finds the rules whose required texts agree with a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    /// Rules that cannot be told by a text.
    always: Vec<u32>,
    /// By column: the rules that need one of some texts there.
    by_text: Vec<(usize, ByText)>,
}

type ByText = HashMap<Box<[u8]>, Vec<u32>>;

impl Selector {
    /// A selector for rules with these conditions.
    pub fn new<'a>(conditions: impl Iterator<Item = Option<&'a Condition>>) -> Self {
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
        let at = self.by_text.iter().position(|(s, _)| *s == slot).unwrap_or_else(|| {
            self.by_text.push((slot, HashMap::new()));
            self.by_text.len() - 1
        });
        for text in texts {
            self.by_text[at].1.entry(text.clone()).or_default().push(rule);
        }
    }

    /// The rules that may take the record, in their order.
    pub fn candidates(&self, row: &impl Row, out: &mut Vec<u32>) {
        out.clear();
        out.extend_from_slice(&self.always);
        for (slot, rules) in &self.by_text {
            if let Some(found) = rules.get(row.get(*slot).unwrap_or_default()) {
                out.extend_from_slice(found);
            }
        }
        if !self.by_text.is_empty() && out.len() > 1 {
            out.sort_unstable();
        }
    }
}

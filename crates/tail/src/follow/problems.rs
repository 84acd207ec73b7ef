//! What is wrong with the inputs now: said once when it begins, and once when it is over.

use std::collections::{BTreeMap, BTreeSet};

use logtally_core::source::SourceId;

/// What is wrong with the inputs now.
#[derive(Default)]
pub(super) struct Problems {
    /// Found while looking for files, one line each.
    inputs: BTreeSet<String>,
    /// Sources that could not be read to their end, each with the reason.
    unread: BTreeMap<SourceId, String>,
}

impl Problems {
    /// Takes over what the last discovery found, and logs what is new and what is gone.
    pub(super) fn set_inputs(&mut self, problems: BTreeSet<String>) {
        for problem in problems.difference(&self.inputs) {
            tracing::warn!(problem, "input problem");
        }
        for solved in self.inputs.difference(&problems) {
            tracing::info!(problem = solved, "input problem is gone");
        }
        self.inputs = problems;
    }

    /// How many problems the last discovery found.
    pub(super) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// A source cannot be read.
    pub(super) fn set_unread(&mut self, id: &SourceId, text: String) {
        self.unread.insert(id.clone(), text);
    }

    /// A source was read.
    pub(super) fn clear_unread(&mut self, id: &SourceId) {
        self.unread.remove(id);
    }

    /// All problems, one line each.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.inputs.into_iter().chain(self.unread.into_values()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_in_the_end_is_not_a_problem() {
        let id = SourceId::new("file/v/1/1").expect("valid");
        let mut problems = Problems::default();
        problems.set_inputs(["a".to_owned(), "b".to_owned()].into());
        problems.set_unread(&id, "c".to_owned());
        problems.set_inputs(["b".to_owned()].into());
        assert_eq!(problems.inputs(), 1);
        problems.set_unread(&id, "d".to_owned());
        problems.clear_unread(&id);
        assert_eq!(problems.into_lines(), ["b"]);
    }
}

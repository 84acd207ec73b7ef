//! The columns and placeholders that rules use, each with a slot.

/// The columns and placeholders that rules use, each with a slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    columns: Vec<String>,
    placeholders: Vec<String>,
}

impl Columns {
    /// The slot of a column, which gets one if it has none.
    pub(crate) fn slot(&mut self, column: &str) -> usize {
        intern(&mut self.columns, column)
    }

    /// The slot of a placeholder, which gets one if it has none.
    pub(crate) fn placeholder(&mut self, name: &str) -> usize {
        intern(&mut self.placeholders, name)
    }

    /// The columns, by slot.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The placeholders, by slot.
    pub(crate) fn placeholders(&self) -> &[String] {
        &self.placeholders
    }
}

fn intern(names: &mut Vec<String>, name: &str) -> usize {
    if let Some(slot) = names.iter().position(|known| known == name) {
        return slot;
    }
    names.push(name.to_owned());
    names.len() - 1
}

//! What the rules of an input may refer to: columns, placeholders, tables. Checks that what they name is
//! there. Never reads a rule itself.

use std::collections::BTreeMap;

use crate::diagnostic::Mark;
use crate::lookups::LookupTable;
use crate::reader::Reader;
use crate::suggest::propose;
use crate::tree::Node;

/// What the rules of an input may refer to.
pub(crate) struct Scope<'a> {
    /// Collects the errors.
    pub reader: &'a Reader<'a>,
    /// The tables.
    pub lookups: &'a BTreeMap<String, LookupTable>,
    /// Labels of the input.
    pub labels: Option<&'a Node>,
    /// All columns, where the format tells them.
    pub columns: Option<Vec<String>>,
    /// The placeholders of each pattern of files; `None` if the command line has the files.
    pub placeholders: Option<Vec<(String, Vec<String>)>>,
}

impl Scope<'_> {
    /// A column that must be there in every record.
    pub(crate) fn check_column(&self, name: &str, at: Mark) {
        let Some(columns) = &self.columns else { return };
        // Columns that begin so come from the program and not from the format.
        if name.starts_with('@') || columns.iter().any(|column| column == name) {
            return;
        }
        let names: Vec<_> = columns.iter().map(String::as_str).collect();
        let help = propose(name, &names, "columns of this format");
        self.reader.error(at, format!("the format has no column `{name}`"), help);
    }

    /// A placeholder of the path; `always` if a record without it would be rejected.
    pub(crate) fn check_placeholder(&self, name: &str, at: Mark, always: bool) {
        let Some(patterns) = &self.placeholders else { return };
        let mut known: Vec<&str> = Vec::new();
        let mut without = None;
        for (pattern, names) in patterns {
            known.extend(names.iter().map(String::as_str));
            if without.is_none() && names.iter().all(|other| other != name) {
                without = Some(pattern);
            }
        }
        if !known.contains(&name) {
            let help = propose(name, &known, "placeholders in `files`");
            self.reader.error(at, format!("unknown placeholder `{name}`"), help);
        } else if let Some(pattern) = without.filter(|_| always) {
            let help = "add it there, or say what a record without it is: `missing: skip`";
            self.reader.error(at, format!("'{pattern}' has no placeholder `{name}`"), help);
        }
    }
}

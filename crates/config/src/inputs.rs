//! Inputs: which files, in which format, by which rules. Never looks for the files.

use std::collections::{BTreeMap, BTreeSet};

use logtally_formats::spec::{CsvSpec, FormatSpec, Header};
use logtally_rules::spec::RuleSpec;

use crate::diagnostic::Mark;
use crate::lookups::Table;
use crate::paths::placeholders;
use crate::positions::{Origin, Place};
use crate::reader::{Object, Reader, one_or_more};
use crate::suggest::propose;
use crate::yaml::{Node, Value};
use crate::{Files, InputSpec, formats, rules, shape};

/// What the rules of an input may refer to.
pub(crate) struct Scope<'a> {
    /// Collects the errors.
    pub reader: &'a Reader<'a>,
    /// The tables.
    pub lookups: &'a BTreeMap<String, Table>,
    /// Labels of the input.
    pub labels: Option<&'a Node>,
    /// All columns, where the format tells them.
    pub columns: Option<Vec<String>>,
    /// The placeholders of each pattern of files; `None` if the command line has the files.
    pub placeholders: Option<Vec<(String, Vec<String>)>>,
}

impl Scope<'_> {
    /// A column that must be there in every record.
    pub fn check_column(&self, name: &str, at: Mark) {
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
    pub fn check_placeholder(&self, name: &str, at: Mark, always: bool) {
        let Some(patterns) = &self.placeholders else { return };
        let has = |names: &Vec<String>| names.iter().any(|known| known == name);
        if !patterns.iter().any(|(_, names)| has(names)) {
            let all: Vec<_> =
                patterns.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
            let help = propose(name, &all, "placeholders in `files`");
            self.reader.error(at, format!("unknown placeholder `{name}`"), help);
        } else if let Some((pattern, _)) = patterns.iter().find(|(_, names)| always && !has(names))
        {
            let help = "add it there, or say what a record without it is: `missing: skip`";
            self.reader.error(at, format!("'{pattern}' has no placeholder `{name}`"), help);
        }
    }
}

/// What all inputs share.
pub(crate) struct Shared<'a> {
    /// Collects the errors.
    pub reader: &'a Reader<'a>,
    /// Reads other files.
    pub files: Files<'a>,
    /// The tables.
    pub lookups: BTreeMap<String, Table>,
    /// The top-level rules.
    pub rules: Option<&'a Node>,
}

impl<'a> Shared<'a> {
    /// Reads all inputs, and tells where each stands.
    pub fn inputs(&self, node: Option<&'a Node>) -> (Vec<InputSpec>, Vec<Place>) {
        let Some(node) = node else {
            let (input, origin) = self.implicit();
            return (vec![input], vec![Place { input: None, rules: origin }]);
        };
        let items = self.reader.items(node, "inputs");
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let help = "remove it to read the FILES of the command line";
            self.reader.error(node.mark, "`inputs` is empty", help);
        }
        let mut names = BTreeSet::new();
        let read = items.iter().enumerate().filter_map(|(index, node)| {
            let input = self.reader.object(node, "input", &shape::INPUT)?;
            let name = name(input, index, &mut names);
            let (input, rules) = self.input(input, name);
            Some((input, Place { input: Some(index), rules }))
        });
        let read = read.collect::<Vec<_>>().into_iter().unzip();
        self.check_unused(items);
        read
    }

    /// The one input of a configuration that names none.
    fn implicit(&self) -> (InputSpec, Origin) {
        let mut format = formats::read(self.reader, None, self.files);
        let scope = self.scope(None, None, None);
        let (rules, origin) = self.rules(None, &scope, &mut format);
        (InputSpec { name: "input1".into(), ..InputSpec::new(format, rules) }, origin)
    }

    fn input(&self, input: Object<'a>, name: String) -> (InputSpec, Origin) {
        let mut format = formats::read(self.reader, input.get("format"), self.files);
        let placeholders = input.get("files").map(|node| patterns(self.reader, node));
        let scope = self.scope(input.get("labels"), columns(&format), placeholders);
        let (rules, origin) = self.rules(input.get("rules"), &scope, &mut format);
        let push = input.flag("push");
        let spec = InputSpec {
            name,
            files: input.texts("files").or_else(|| push.then(Vec::new)),
            push,
            exclude: input.texts("exclude").unwrap_or_default(),
            compressed: input.flag("compressed"),
            ..InputSpec::new(format, rules)
        };
        (spec, origin)
    }

    fn scope<'s>(
        &'s self,
        labels: Option<&'s Node>,
        columns: Option<Vec<String>>,
        placeholders: Option<Vec<(String, Vec<String>)>>,
    ) -> Scope<'s> {
        Scope { reader: self.reader, lookups: &self.lookups, labels, columns, placeholders }
    }

    /// Own rules, or else the top-level ones, or else the default.
    fn rules(
        &self,
        own: Option<&Node>,
        scope: &Scope,
        format: &mut FormatSpec,
    ) -> (Vec<RuleSpec>, Origin) {
        if let Some(node) = own.or(self.rules) {
            let origin = if own.is_some() { Origin::Own } else { Origin::Shared };
            return (self.all(node, scope), origin);
        }
        if let FormatSpec::Csv(csv) = format
            && csv.columns.is_empty()
        {
            csv.columns = default_columns();
        }
        (vec![rules::default_with(scope)], Origin::Default)
    }

    fn all(&self, node: &Node, scope: &Scope) -> Vec<RuleSpec> {
        let items = self.reader.items(node, "rules");
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let help = "remove it for the default rule, or add `- metric: …`";
            self.reader.error(node.mark, "`rules` is empty", help);
        }
        items.iter().filter_map(|item| rules::read(scope, item)).collect()
    }

    /// Top-level rules that no input uses are checked all the same, and suspicious.
    fn check_unused(&self, inputs: &[Node]) {
        let Some(node) = self.rules else { return };
        if inputs.iter().all(|input| input.get("rules").is_some()) {
            let help = "every input has rules of its own; remove the ones or the others";
            self.reader.warn(node.mark, "no input uses the top-level rules", help);
            self.all(node, &self.scope(None, None, None));
        }
    }
}

/// The columns that the default rule wants, in their order.
pub(crate) fn default_columns() -> Vec<String> {
    vec!["host".into(), "job_name".into()]
}

fn name(input: Object, index: usize, names: &mut BTreeSet<String>) -> String {
    let name = input.text("name").unwrap_or_else(|| format!("input{}", index + 1));
    if name.is_empty() {
        input.error("name", "`name` is empty", "give it a name or remove the line");
    } else if !names.insert(name.clone()) {
        let help = "names of inputs must be unique";
        input.error("name", format!("there is an input `{name}` already"), help);
    }
    name
}

/// The placeholders of each pattern.
fn patterns(reader: &Reader, node: &Node) -> Vec<(String, Vec<String>)> {
    let nodes = one_or_more(node);
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let help = "name a path, or remove it for the FILES of the command line";
        reader.error(node.mark, "`files` is empty", help);
    }
    let mut all = Vec::new();
    for node in nodes {
        // A value of another type is told where the files themselves are read.
        let Value::Text(pattern) = &node.value else { continue };
        if pattern.is_empty() {
            reader.error(node.mark, "a path is empty", "name a file or a glob");
        }
        match placeholders(pattern) {
            Ok(names) => all.push((pattern.clone(), names)),
            Err(message) => {
                let help = "a placeholder is {name}, each once; a brace itself is [{] or [}]";
                reader.error(node.mark, message, help);
            }
        }
    }
    all
}

/// All columns that a format has, if it tells them.
fn columns(format: &FormatSpec) -> Option<Vec<String>> {
    match format {
        FormatSpec::Csv(CsvSpec { header: Header::Absent, columns, .. }) if !columns.is_empty() => {
            Some(columns.clone())
        }
        FormatSpec::Regex { pattern } => {
            let regex = regex::Regex::new(pattern).ok()?;
            Some(regex.capture_names().flatten().map(str::to_owned).collect())
        }
        FormatSpec::Lines => Some(vec!["@line".into()]),
        _ => None,
    }
}

//! Inputs: which files, in which format, by which rules. Never looks for the files.

use std::collections::{BTreeMap, BTreeSet};

use logtally_formats::spec::{CsvSpec, FormatSpec, Header};
use logtally_rules::spec::RuleSpec;

use crate::files::Files;
use crate::lookups::LookupTable;
use crate::paths::placeholders;
use crate::positions::{InputPosition, RulesOrigin};
use crate::reader::{Object, Reader, one_or_more};
use crate::scope::Scope;
use crate::spec::{InputSpec, default_columns};
use crate::tree::{Node, Value};
use crate::{formats, rules, shape};

/// Reads the inputs of a configuration, with what all of them share.
pub(crate) struct InputsReader<'a> {
    /// Collects the errors.
    pub reader: &'a Reader<'a>,
    /// Reads other files.
    pub files: Files<'a>,
    /// The tables.
    pub lookups: BTreeMap<String, LookupTable>,
    /// The top-level rules.
    pub rules: Option<&'a Node>,
}

impl<'a> InputsReader<'a> {
    /// All inputs, and where each stands.
    pub(crate) fn read(&self, node: Option<&'a Node>) -> (Vec<InputSpec>, Vec<InputPosition>) {
        let Some(node) = node else {
            let (input, origin) = self.implicit();
            return (vec![input], vec![InputPosition { index: None, rules: origin }]);
        };
        let items = self.reader.items(node, "inputs");
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let help = "remove it to read the FILES of the command line";
            self.reader.error(node.mark, "`inputs` is empty", help);
        }
        let mut names = BTreeSet::new();
        let (mut inputs, mut positions) = (Vec::new(), Vec::new());
        for (index, node) in items.iter().enumerate() {
            let Some(object) = self.reader.object(node, "input", &shape::INPUT) else { continue };
            let name = name(object, index, &mut names);
            let (input, rules) = self.input(object, name);
            inputs.push(input);
            positions.push(InputPosition { index: Some(index), rules });
        }
        self.check_unused(items);
        (inputs, positions)
    }

    /// The one input of a configuration that names none.
    fn implicit(&self) -> (InputSpec, RulesOrigin) {
        let mut format = formats::read(self.reader, None, self.files);
        let scope = self.scope(None, None, None);
        let (rules, origin) = self.rules(None, &scope, &mut format);
        (InputSpec { name: "input1".into(), ..InputSpec::new(format, rules) }, origin)
    }

    fn input(&self, input: Object<'a>, name: String) -> (InputSpec, RulesOrigin) {
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
    ) -> (Vec<RuleSpec>, RulesOrigin) {
        if let Some(node) = own.or(self.rules) {
            let origin = if own.is_some() { RulesOrigin::Own } else { RulesOrigin::Shared };
            return (self.all(node, scope), origin);
        }
        if let FormatSpec::Csv(csv) = format
            && csv.columns.is_empty()
        {
            csv.columns = default_columns();
        }
        (vec![rules::default_with(scope)], RulesOrigin::Default)
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
        // A value of another type is reported where the files themselves are read.
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

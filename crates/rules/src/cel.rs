//! Conditions written in CEL. Simple ones become ordinary conditions, which cost as little as the
//! others; the rest is left to the CEL library, record by record.
//!
//! A column is a name (`status`), a path (`request.method`) or `record["any name"]`; its value is a
//! text, and a column that a record does not have is an empty text. An expression that fails (say,
//! `int(status)` of a text that is not a number) does not hold.

use std::collections::HashMap;

use ::cel::common::ast::operators;
use ::cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};
use ::cel::{Context, IdedExpr, Program};
use logtally_core::decimal::Decimal;

use crate::cel_condition::CelCondition;
use crate::columns::Columns;
use crate::condition::Condition;
use crate::error::Wrong;
use crate::spec::Compare;

/// Compiles an expression.
pub(crate) fn compile(
    field: &str,
    source: &str,
    columns: &mut Columns,
) -> Result<Condition, Wrong> {
    let program = Program::compile(source).map_err(|errors| {
        let text = errors.to_string();
        Wrong::new(field, format!("not a valid CEL expression: {}", first_line(&text))).help(
            "compare columns with texts, e.g. status == \"500\" && method in [\"GET\", \"PUT\"]",
        )
    })?;
    let mut rewriter = Rewriter { columns, variables: HashMap::new(), bound: Vec::new() };
    let mut expression = program.expression().clone();
    rewriter.rewrite(&mut expression);
    let variables = rewriter.variables;
    if variables.is_empty() {
        return Err(Wrong::new(field, "the condition uses no column, so it always says the same"));
    }
    if let Some(condition) = lower(field, &expression, &variables)? {
        return Ok(condition);
    }
    check_functions(field, &program)?;
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    Ok(Condition::Cel(Box::new(CelCondition::new(expression, variables))))
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// A misspelt function would only fail at the first record, and then for ever.
fn check_functions(field: &str, program: &Program) -> Result<(), Wrong> {
    let context = Context::default();
    let operator = |name: &str| !name.starts_with(|c: char| c.is_ascii_alphabetic());
    let knows = |name: &str, target: Option<Box<IdedExpr>>| {
        let call = CallExpr { func_name: name.to_owned(), target, args: vec![] };
        let result = context.resolve(&IdedExpr { id: 0, expr: Expr::Call(call) });
        !matches!(result, Err(::cel::ExecutionError::UndeclaredReference(_)))
    };
    let text =
        || Some(Box::new(IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String("".into())) }));
    for name in program.references().functions() {
        if !operator(name) && !knows(name, None) && !knows(name, text()) {
            return Err(Wrong::new(field, format!("CEL knows no function {name}")));
        }
    }
    Ok(())
}

/// Replaces what names a column by a variable.
struct Rewriter<'a> {
    columns: &'a mut Columns,
    variables: HashMap<String, usize>,
    /// Names that macros such as `exists` bind.
    bound: Vec<String>,
}

impl Rewriter<'_> {
    fn rewrite(&mut self, expression: &mut IdedExpr) {
        if let Some(column) = self.column_of(&expression.expr) {
            let slot = self.columns.slot(&column);
            let name = format!("column_{slot}");
            self.variables.insert(name.clone(), slot);
            expression.expr = Expr::Ident(name);
            return;
        }
        match &mut expression.expr {
            Expr::Call(call) => {
                call.target.iter_mut().for_each(|target| self.rewrite(target));
                call.args.iter_mut().for_each(|arg| self.rewrite(arg));
            }
            Expr::List(list) => list.elements.iter_mut().for_each(|e| self.rewrite(e)),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.rewrite(&mut entry.key);
                        self.rewrite(&mut entry.value);
                    }
                }
            }
            Expr::Select(select) => self.rewrite(&mut select.operand),
            Expr::Comprehension(inner) => {
                self.rewrite(&mut inner.iter_range);
                self.rewrite(&mut inner.accu_init);
                let before = self.bound.len();
                self.bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
                self.bound.extend(inner.iter_var2.clone());
                for part in [&mut inner.loop_cond, &mut inner.loop_step, &mut inner.result] {
                    self.rewrite(part);
                }
                self.bound.truncate(before);
            }
            _ => {}
        }
    }

    fn column_of(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Ident(name) if !self.bound.contains(name) => Some(name.clone()),
            Expr::Select(select) if !select.test => {
                let parent = self.column_of(&select.operand.expr)?;
                let in_record =
                    matches!(&select.operand.expr, Expr::Ident(name) if name == "record");
                Some(if in_record {
                    select.field.clone()
                } else {
                    format!("{parent}.{}", select.field)
                })
            }
            Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
                [IdedExpr { expr: Expr::Ident(name), .. }, index] if name == "record" => {
                    text_of(index).map(str::to_owned)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn text_of(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The same condition without CEL, if it is simple enough.
fn lower(
    field: &str,
    expression: &IdedExpr,
    variables: &HashMap<String, usize>,
) -> Result<Option<Condition>, Wrong> {
    let Expr::Call(call) = &expression.expr else { return Ok(None) };
    let column = |e: &IdedExpr| match &e.expr {
        Expr::Ident(name) => variables.get(name).copied(),
        _ => None,
    };
    let name = call.func_name.as_str();
    if name == "matches" {
        let parts = match (&call.target, call.args.as_slice()) {
            (Some(target), [regex]) => Some((&**target, regex)),
            (None, [target, regex]) => Some((target, regex)),
            _ => None,
        };
        let found = parts.and_then(|(target, regex)| Some((column(target)?, text_of(regex)?)));
        return found.map(|(slot, text)| Condition::matches(field, slot, text)).transpose();
    }
    if name == operators::LOGICAL_NOT
        && let [part] = call.args.as_slice()
    {
        let inner = lower(field, part, variables)?;
        // What fails in CEL, such as `double` of a text that is not a number, holds no more negated.
        let inner = inner.filter(|condition| !condition.can_fail());
        return Ok(inner.map(|condition| Condition::Not(Box::new(condition))));
    }
    let [left, right] = call.args.as_slice() else { return Ok(None) };
    if name == operators::LOGICAL_AND || name == operators::LOGICAL_OR {
        let both = (lower(field, left, variables)?, lower(field, right, variables)?);
        let (Some(left), Some(right)) = both else { return Ok(None) };
        let parts = vec![left, right];
        let and = name == operators::LOGICAL_AND;
        return Ok(Some(if and { Condition::All(parts) } else { Condition::Any(parts) }));
    }
    if name == operators::IN
        && let (Some(slot), Expr::List(list)) = (column(left), &right.expr)
    {
        let texts: Option<Vec<&str>> = list.elements.iter().map(text_of).collect();
        return Ok(texts.map(|texts| Condition::texts(slot, texts)));
    }
    Ok(lower_comparison(name, left, right, &column))
}

fn lower_comparison(
    name: &str,
    left: &IdedExpr,
    right: &IdedExpr,
    column: &dyn Fn(&IdedExpr) -> Option<usize>,
) -> Option<Condition> {
    let compare = match name {
        operators::EQUALS => Compare::Eq,
        operators::NOT_EQUALS => Compare::Ne,
        operators::LESS => Compare::Lt,
        operators::LESS_EQUALS => Compare::Le,
        operators::GREATER => Compare::Gt,
        operators::GREATER_EQUALS => Compare::Ge,
        _ => return None,
    };
    if let (Some(slot), Some(text)) = (column(left), text_of(right)) {
        return match compare {
            Compare::Eq => Some(Condition::texts(slot, [text])),
            Compare::Ne => Some(Condition::Not(Box::new(Condition::texts(slot, [text])))),
            _ => None,
        };
    }
    // `double(column) > 1.5`: of a value that is not a number, both forms say no.
    let Expr::Call(CallExpr { func_name, target: None, args }) = &left.expr else { return None };
    let [argument] = args.as_slice() else { return None };
    let number = match &right.expr {
        Expr::Literal(LiteralValue::Double(number)) => number.inner().to_string(),
        Expr::Literal(LiteralValue::Int(number)) => number.inner().to_string(),
        _ => return None,
    };
    let with = Decimal::parse(number.as_bytes()).ok()?;
    if func_name != "double" {
        return None;
    }
    Some(Condition::Number(column(argument)?, compare, with))
}

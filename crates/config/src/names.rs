//! Which names metrics and labels may have: the classic rules of Prometheus, and what logtally keeps
//! for itself.

use logtally_core::names::{is_label_char, is_label_name, is_metric_name};

/// What is wrong with a metric's name, and the way out.
pub(crate) fn metric(name: &str) -> Result<(), (String, String)> {
    if !is_metric_name(name) {
        let message = format!("`{name}` is not a metric name");
        return Err((message, format!("use letters, digits, _ and :, e.g. `{}`", repaired(name))));
    }
    if name.starts_with("logtally_") {
        let message =
            format!("`{name}`: names that begin with logtally_ are taken by logtally itself");
        return Err((message, "choose another prefix".into()));
    }
    Ok(())
}

/// What is wrong with a label's name, and the way out.
pub(crate) fn label(name: &str) -> Result<(), (String, String)> {
    if !is_label_name(name) {
        let message = format!("`{name}` is not a label name");
        let help = format!("use letters, digits and _: `{}: {name}`", repaired(name));
        return Err((message, help));
    }
    if name.starts_with("__") {
        let message = format!("`{name}`: names that begin with __ are taken by Prometheus");
        return Err((message, format!("call it `{}`", name.trim_start_matches('_'))));
    }
    Ok(())
}

/// The nearest legal name.
fn repaired(name: &str) -> String {
    let part = |c: char| if is_label_char(c) { c } else { '_' };
    let text: String = name.chars().map(part).collect();
    if text.chars().next().is_none_or(|c| c.is_ascii_digit()) { format!("_{text}") } else { text }
}

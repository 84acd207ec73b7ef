//! The landing page of a listener: what this is and where to go.
//!
//! Must never load anything from elsewhere: it is read in networks without access to the internet.

use std::fmt::Write as _;

/// A small HTML page with a title, a version and links, each given as address and text.
///
/// Every argument is escaped.
pub fn landing_page(title: &str, version: &str, links: &[(&str, &str)]) -> String {
    let (title, version) = (escape(title), escape(version));
    let mut items = String::new();
    for (href, text) in links {
        let (href, text) = (escape(href), escape(text));
        // Writing to a string cannot fail.
        let _ = writeln!(items, "<li><a href=\"{href}\">{text}</a></li>");
    }
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\">\n\
         <head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body {{ font-family: sans-serif; margin: 2em }}</style></head>\n\
         <body>\n\
         <h1>{title}</h1>\n\
         <p>Version {version}</p>\n\
         <ul>\n{items}</ul>\n\
         </body>\n\
         </html>\n"
    )
}

/// Safe both as text and inside a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_version_and_links_are_shown() {
        let page = landing_page("logtally", "1.2.3", &[("/metrics", "Metrics")]);
        assert!(page.contains("<h1>logtally</h1>\n<p>Version 1.2.3</p>"), "{page}");
        assert!(page.contains(r#"<li><a href="/metrics">Metrics</a></li>"#), "{page}");
    }

    #[test]
    fn nothing_escapes_from_text_or_attribute() {
        let page = landing_page("<b>", "a&b", &[("'\"><script>", "</a>")]);
        assert!(page.contains("<h1>&lt;b&gt;</h1>\n<p>Version a&amp;b</p>"), "{page}");
        let link = r#"<a href="&#39;&quot;&gt;&lt;script&gt;">&lt;/a&gt;</a>"#;
        assert!(page.contains(link), "{page}");
    }
}

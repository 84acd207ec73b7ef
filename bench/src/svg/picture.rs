//! Text, lines and rectangles, in the colours of both kinds of pages.

use std::fmt::Write as _;

/// Colours for both kinds of pages; `s0` to `s5` are those of what is compared.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}\
.head{font-size:14px;font-weight:600}.small{font-size:11px}.grid{stroke:#8c959f;stroke-opacity:.35}\
.s0{fill:#1a7f37;stroke:#1a7f37}.s1{fill:#57ab5a;stroke:#57ab5a}.s2{fill:#8c959f;stroke:#8c959f}\
.s3{fill:#bf8700;stroke:#bf8700}.s4{fill:#0969da;stroke:#0969da}.s5{fill:#8250df;stroke:#8250df}\
.line{fill:none;stroke-width:2}.end{text-anchor:end}.mid{text-anchor:middle}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s0{fill:#3fb950;stroke:#3fb950}\
.s1{fill:#7ee787;stroke:#7ee787}.s3{fill:#d29922;stroke:#d29922}.s4{fill:#58a6ff;stroke:#58a6ff}\
.s5{fill:#bc8cff;stroke:#bc8cff}}";

/// A picture that grows.
#[derive(Debug)]
pub struct Picture {
    body: String,
    width: f64,
}

impl Picture {
    /// An empty one of this width.
    pub fn new(width: f64) -> Self {
        Self { body: String::new(), width }
    }

    /// Writes text; `y` is its baseline.
    pub fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escape(text);
        self.add(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"));
    }

    /// A line of the grid.
    pub fn grid(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"grid\"/>"
        ));
    }

    /// A filled rectangle.
    pub fn bar(&mut self, x: f64, y: f64, size: (f64, f64), class: &str) {
        let (width, height) = size;
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             stroke=\"none\" class=\"{class}\"/>"
        ));
    }

    /// Points, joined.
    pub fn curve(&mut self, points: &[(f64, f64)], class: &str) {
        let list: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let list = list.join(" ");
        self.add(format_args!("<polyline points=\"{list}\" class=\"{class} line\"/>"));
        for (x, y) in points {
            self.add(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"{class}\"/>"
            ));
        }
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Nothing can go wrong with a string.
        let _ = writeln!(self.body, "{element}");
    }

    /// The file. `title` is for those who do not see it.
    pub fn finish(self, height: f64, title: &str) -> String {
        let Self { body, width } = self;
        let title = escape(title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n\
             <style>.line{{fill:none!important}}{STYLE}</style>\n{body}</svg>\n"
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_cannot_end_an_element() {
        let mut picture = Picture::new(10.0);
        picture.text(0.0, 0.0, "", "a<b & \"c\"");
        assert!(picture.finish(10.0, "<x>").contains("a&lt;b &amp; &quot;c&quot;</text>"));
    }
}

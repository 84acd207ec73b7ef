//! Plots as SVG: text, lines and rectangles, readable on a light and on a dark page, without scripts
//! and without fonts of its own.
//!
//! Must never decide what is worth showing.

pub mod bars;

pub mod lines;

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

/// A logarithmic axis whose ends are powers of ten.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    first: i32,
    last: i32,
    from: f64,
    length: f64,
}

impl Axis {
    /// An axis for these values, which are above 0, from one place of the picture to another one.
    pub fn of(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut first, mut last) = (i32::MAX, i32::MIN);
        for value in values.into_iter().filter(|value| *value > 0.0) {
            first = first.min(value.log10().floor() as i32);
            last = last.max(value.log10().ceil() as i32);
        }
        if first > last {
            (first, last) = (0, 1);
        }
        Self { first, last: last.max(first + 1), from, length: to - from }
    }

    /// The place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let span = f64::from(self.last - self.first);
        let way = (value.max(f64::MIN_POSITIVE).log10() - f64::from(self.first)) / span;
        self.from + way.clamp(0.0, 1.0) * self.length
    }

    /// The powers of ten on it.
    pub fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.first..=self.last).map(|power| 10_f64.powi(power))
    }
}

/// A power of ten, short.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.0} M", v / 1e6),
        v if v >= 1e3 => format!("{:.0} k", v / 1e3),
        v if v >= 1.0 => format!("{v:.0}"),
        v => format!("{v}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_covers_its_values_in_powers_of_ten() {
        let axis = Axis::of([3.0, 250.0], 100.0, 400.0);
        let places = [1.0, 10.0, 1000.0, 1e9].map(|value| axis.at(value).round().to_string());
        assert_eq!(places, ["100", "200", "400", "400"]);
        let ticks: Vec<String> = axis.ticks().map(short).collect();
        assert_eq!(ticks, ["1", "10", "100", "1 k"]);
        assert_eq!(Axis::of([], 0.0, 1.0).ticks().count(), 2);
    }

    #[test]
    fn what_is_written_cannot_end_an_element() {
        let mut picture = Picture::new(10.0);
        picture.text(0.0, 0.0, "", "a<b & \"c\"");
        assert!(picture.finish(10.0, "<x>").contains("a&lt;b &amp; &quot;c&quot;</text>"));
    }
}

//! Horizontal bars in groups, on one logarithmic scale.

use super::axis::{Axis, short};
use super::picture::Picture;
use crate::table::figure;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = WIDTH - 70.0;
const BAR: f64 = 14.0;
const STEP: f64 = 19.0;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What stands before it.
    pub name: String,
    /// Its length.
    pub value: f64,
    /// Which of the colours.
    pub colour: usize,
}

/// Bars under a heading.
#[derive(Clone, Debug)]
pub struct Group {
    /// The heading.
    pub name: String,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

/// The plot.
pub fn plot(title: &str, groups: &[Group]) -> String {
    let values = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.value);
    let axis = Axis::of(values, LEFT, RIGHT);
    let mut picture = Picture::new(WIDTH);
    picture.text(10.0, 22.0, "head", title);
    let mut y = 44.0;
    for group in groups {
        picture.text(10.0, y + 12.0, "head", &group.name);
        y += 22.0;
        let height = STEP * group.bars.len() as f64;
        for tick in axis.ticks() {
            picture.grid((axis.at(tick), y - 2.0), (axis.at(tick), y + height));
        }
        for bar in &group.bars {
            draw(&mut picture, axis, bar, y);
            y += STEP;
        }
        y += 12.0;
    }
    for tick in axis.ticks() {
        picture.text(axis.at(tick), y + 4.0, "small mid", &short(tick));
    }
    picture.finish(y + 14.0, title)
}

fn draw(picture: &mut Picture, axis: Axis, bar: &Bar, y: f64) {
    let end = axis.at(bar.value);
    picture.text(LEFT - 8.0, y + 11.0, "end", &bar.name);
    picture.bar(LEFT, y, ((end - LEFT).max(1.0), BAR), &format!("s{}", bar.colour));
    picture.text(end + 6.0, y + 11.0, "small", &figure(bar.value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_is_drawn_and_a_longer_one_is_longer() {
        let bar = |name: &str, value| Bar { name: name.into(), value, colour: 0 };
        let bars = vec![bar("one", 10.0), bar("two", 1000.0)];
        let text = plot("t", &[Group { name: "g".into(), bars }]);
        let widths: Vec<f64> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("<rect")?.split_once("width=\"")?.1.split_once('"')
            })
            .map(|(width, _)| width.parse().expect("a number"))
            .collect();
        assert!(widths.len() == 2 && widths[0] < widths[1], "{widths:?}");
    }
}

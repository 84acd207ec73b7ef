//! Small plots side by side: something against something that grows, both on logarithmic scales.

use super::axis::{Axis, short};
use super::picture::Picture;

const PANEL: (f64, f64) = (380.0, 230.0);
const COLUMNS: usize = 2;

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// One of the small plots.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What is shown.
    pub title: String,
    /// What grows.
    pub x: String,
    /// At most six.
    pub curves: Vec<Curve>,
}

/// The plot.
pub fn plot(title: &str, panels: &[Panel]) -> String {
    let columns = COLUMNS.min(panels.len()).max(1);
    let mut picture = Picture::new(PANEL.0 * columns as f64);
    picture.text(10.0, 22.0, "head", title);
    for (n, panel) in panels.iter().enumerate() {
        let (column, row) = (n % columns, n / columns);
        draw(&mut picture, panel, PANEL.0 * column as f64, 34.0 + PANEL.1 * row as f64);
    }
    let rows = panels.len().div_ceil(columns);
    picture.finish(34.0 + PANEL.1 * rows as f64, title)
}

fn draw(picture: &mut Picture, panel: &Panel, left: f64, top: f64) {
    let (right, bottom) = (left + PANEL.0 - 20.0, top + PANEL.1 - 50.0);
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let x = Axis::of(points().map(|point| point.0), left + 50.0, right);
    let y = Axis::of(points().map(|point| point.1), bottom, top + 34.0);
    picture.text(left + 10.0, top + 16.0, "", &panel.title);
    for tick in y.ticks() {
        picture.grid((left + 50.0, y.at(tick)), (right, y.at(tick)));
        picture.text(left + 44.0, y.at(tick) + 4.0, "small end", &short(tick));
    }
    for tick in x.ticks() {
        picture.grid((x.at(tick), top + 34.0), (x.at(tick), bottom));
        picture.text(x.at(tick), bottom + 14.0, "small mid", &short(tick));
    }
    picture.text(left + 50.0, bottom + 30.0, "small", &panel.x);
    let mut at = right;
    for (n, curve) in panel.curves.iter().enumerate().rev() {
        let class = format!("s{}", [0, 4, 3, 5, 2, 1][n % 6]);
        let places: Vec<_> = curve.points.iter().map(|p| (x.at(p.0), y.at(p.1))).collect();
        picture.curve(&places, &class);
        picture.text(at, bottom + 30.0, "small end", &curve.name);
        at -= 6.5 * curve.name.chars().count() as f64;
        picture.bar(at - 10.0, bottom + 22.0, (8.0, 8.0), &class);
        at -= 22.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_drawn() {
        let curve = Curve { name: "c".into(), points: vec![(1.0, 2.0), (100.0, 3.0)] };
        let panel = Panel { title: "t".into(), x: "n".into(), curves: vec![curve.clone(), curve] };
        let text = plot("all", &[panel.clone(), panel.clone(), panel]);
        assert_eq!(text.matches("<circle").count(), 12);
        assert_eq!(text.matches("<polyline").count(), 6);
    }
}

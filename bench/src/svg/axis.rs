//! Where a value is on an axis.

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
pub fn short(value: f64) -> String {
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
}

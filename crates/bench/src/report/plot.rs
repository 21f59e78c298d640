//! Line plots as SVG text: axes with round numbers, a line a series, a legend.

use std::fmt::Write;

use super::text::{count, significant};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
/// Room for numbers and names around the lines.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 44.0;

/// From one name of a series to the next. Four of them have to leave room for the title before them.
const NAME: f64 = 120.0;

/// About so many numbers stand on an axis.
const TICKS: f64 = 5.0;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// How an axis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero, evenly.
    Even,
    /// Each power of ten as wide as the next.
    Log,
    /// A share of all, from a half on: 90 %, 99 %, 99.9 % as far from each other as from one another.
    Share,
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) across: (&'static str, Scale),
    pub(super) up: (&'static str, Scale),
    pub(super) series: Vec<Series>,
}

impl Scale {
    /// Where a value stands, before the axis is stretched to its room.
    fn place(self, value: f64) -> f64 {
        match self {
            Scale::Even => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Share => -(1.0 - value).max(1e-12).log10(),
        }
    }

    /// From where to where, as places, so that all values fit.
    fn bounds(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let places = values
            .filter(|value| self != Scale::Log || *value > 0.0)
            .map(|value| self.place(value));
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place), high.max(place))
        });
        match self {
            _ if !low.is_finite() => (0.0, 1.0),
            Scale::Even => {
                let step = step(high);
                (0.0, (high / step).ceil().max(1.0) * step)
            }
            Scale::Log => (low.floor(), high.ceil().max(low.floor() + 1.0)),
            Scale::Share => (0.0, high.max(1.0)),
        }
    }

    /// Places of the numbers on the axis, and the numbers.
    fn ticks(self, low: f64, high: f64) -> Vec<(f64, String)> {
        match self {
            Scale::Even => {
                let step = step(high);
                let ticks = (0..=TICKS as usize * 2).map(|number| number as f64 * step);
                let number = |value: f64| {
                    if step < 1.0 {
                        significant(value)
                    } else {
                        count(value)
                    }
                };
                ticks
                    .filter(|tick| *tick <= high * 1.001)
                    .map(|tick| (tick, number(tick)))
                    .collect()
            }
            Scale::Log => {
                let number = |power: f64| match 10_f64.powf(power) {
                    value if value < 1.0 => significant(value),
                    value => count(value),
                };
                powers(low, high).map(|power| (power, number(power))).collect()
            }
            Scale::Share => {
                let name = |power: f64| format!("{} %", 100.0 - 10_f64.powf(2.0 - power));
                powers(0.0, high)
                    .skip(1)
                    .map(|power| (power, name(power)))
                    .collect()
            }
        }
    }
}

fn powers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (low as i32..=high as i32).map(f64::from)
}

/// A round step: one, two or five times a power of ten.
fn step(high: f64) -> f64 {
    let rough = high.max(1e-9) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(rough)
}

impl Plot {
    /// As SVG; nothing if no series has a point.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return String::new();
        }
        let (left, right) = self.across.1.bounds(points().map(|point| point.0));
        let (bottom, top) = self.up.1.bounds(points().map(|point| point.1));
        let x = |place: f64| LEFT + (place - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y = |place: f64| HEIGHT - BOTTOM - (place - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"16\">{0}</text>\n",
            self.title
        );
        for (place, number) in self.up.1.ticks(bottom, top) {
            let at = y(place);
            svg.push_str(&line((LEFT, at), (WIDTH - RIGHT, at), "grid"));
            svg.push_str(&text((LEFT - 6.0, at + 4.0), "end", &number));
        }
        for (place, number) in self.across.1.ticks(left, right) {
            svg.push_str(&text((x(place), HEIGHT - BOTTOM + 16.0), "middle", &number));
        }
        svg.push_str(&text((LEFT, TOP - 8.0), "start", self.up.0));
        svg.push_str(&text((WIDTH - RIGHT, HEIGHT - 8.0), "end", self.across.0));
        for (number, series) in self.series.iter().enumerate() {
            let place = |point: &(f64, f64)| (x(self.across.1.place(point.0)), y(self.up.1.place(point.1)));
            svg.push_str(&curve(number, series.points.iter().map(place)));
            let name_x = WIDTH - RIGHT - NAME * (self.series.len() - number - 1) as f64;
            let name = format!("<tspan class=\"name{number}\">\u{25cf}</tspan> {}", series.name);
            svg.push_str(&text((name_x, 16.0), "end", &name));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn line(from: (f64, f64), to: (f64, f64), class: &str) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn text(at: (f64, f64), anchor: &str, text: &str) -> String {
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>\n",
        at.0, at.1
    )
}

/// A single point is a dot: a line of it would not be seen.
fn curve(number: usize, points: impl Iterator<Item = (f64, f64)>) -> String {
    let points: Vec<(f64, f64)> = points.collect();
    if let [(x, y)] = points.as_slice() {
        return format!("<circle class=\"dot{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n");
    }
    let mut path = String::new();
    for (x, y) in points {
        // Writing to a string cannot fail.
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    format!(
        "<polyline class=\"line{number}\" points=\"{}\"/>\n",
        path.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        let (low, high) = Scale::Even.bounds([3.0, 930.0].into_iter());
        assert_eq!((low, high), (0.0, 1000.0));
        assert_eq!(
            names(Scale::Even.ticks(low, high)),
            ["0", "200", "400", "600", "800", "1,000"]
        );
        let (low, high) = Scale::Log.bounds([0.0, 30.0, 2000.0].into_iter());
        assert_eq!(
            names(Scale::Log.ticks(low, high)),
            ["10", "100", "1,000", "10,000"]
        );
        let (low, high) = Scale::Share.bounds([0.0, 0.9991].into_iter());
        assert_eq!(names(Scale::Share.ticks(low, high)), ["90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn a_plot_has_its_series_and_stays_in_its_frame() {
        let plot = Plot {
            title: "T",
            across: ("seconds", Scale::Even),
            up: ("a second", Scale::Even),
            series: vec![
                Series {
                    name: "one",
                    points: vec![(1.0, 5.0), (2.0, 7.0)],
                },
                Series {
                    name: "dot",
                    points: vec![(2.0, 0.0)],
                },
            ],
        };
        let svg = plot.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn four_names_stand_beside_the_title() {
        let series = ["delivery p50", "delivery p99", "confirm p50", "confirm p99"].map(|name| Series {
            name,
            points: vec![(1.0, 1.0)],
        });
        let plot = Plot {
            title: "Latency by second",
            across: ("seconds", Scale::Even),
            up: ("microseconds", Scale::Log),
            series: series.to_vec(),
        };
        // Where the first one ends. It is some 90 wide, and the title some 140.
        assert!(
            plot.svg()
                .contains("<text x=\"384.0\" y=\"16.0\" text-anchor=\"end\"><tspan class=\"name0\">")
        );
    }

    #[test]
    fn nothing_to_show_is_no_plot() {
        let plot = Plot {
            title: "T",
            across: ("", Scale::Even),
            up: ("", Scale::Log),
            series: vec![Series {
                name: "none",
                points: Vec::new(),
            }],
        };
        assert_eq!(plot.svg(), "");
    }
}

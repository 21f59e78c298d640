//! Plots in the document: `xychart-beta` of Mermaid, which forges draw from the text.

use super::figures::three_digits;

/// A line through points, with text below each.
pub(super) fn plot(title: &str, x_name: &str, y_name: &str, points: &[(String, f64)]) -> String {
    let most = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let marks: Vec<String> = points.iter().map(|(x, _)| format!("\"{x}\"")).collect();
    let values: Vec<String> = points.iter().map(|(_, y)| plain(*y)).collect();
    format!(
        "```mermaid\nxychart-beta\n    title \"{title}\"\n    x-axis \"{x_name}\" [{}]\n    \
         y-axis \"{y_name}\" 0 --> {}\n    line [{}]\n```\n",
        marks.join(", "),
        plain(round_up(most)),
        values.join(", ")
    )
}

/// Mermaid reads no commas in numbers.
fn plain(value: f64) -> String {
    three_digits(value).replace(',', "")
}

/// To the next of 1, 1.5, 2, 3, 5, 8 times a power of ten, so that axes end at a round number.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0];
    let step = steps.iter().find(|step| **step * power >= value * 0.999_999);
    step.map_or(10.0 * power, |step| step * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_a_round_number() {
        for (value, end) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (1.2, 1.5),
            (640.0, 800.0),
            (0.021, 0.03),
            (9.1, 10.0),
        ] {
            assert!(
                (round_up(value) - end).abs() < 1e-9,
                "{value}: {}",
                round_up(value)
            );
        }
    }

    #[test]
    fn a_plot_is_text_that_mermaid_draws() {
        let points = [("1".to_owned(), 1234.0), ("1,000".to_owned(), 0.5)];
        assert_eq!(
            plot("T", "queues", "thousand/s", &points),
            "```mermaid\nxychart-beta\n    title \"T\"\n    x-axis \"queues\" [\"1\", \"1,000\"]\n    \
             y-axis \"thousand/s\" 0 --> 1500\n    line [1234, 0.500]\n```\n"
        );
    }
}

//! The report as a page: the table and plots, with nothing that is fetched from elsewhere.

use super::plot::{Plot, Scale, Series};
use super::table::table;
use super::{Report, SecondFigures};

const STYLE: &str = "\
:root{--ink:#1c2733;--paper:#fff;--faint:#d9dfe5;--c0:#1769aa;--c1:#c75b12;--c2:#2e7d4f;--c3:#8a3fa0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--paper:#14191f;--faint:#39434e;\
--c0:#6db3ee;--c1:#f0a066;--c2:#7fcf9f;--c3:#d39be6}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:800px;\
margin:2em auto;padding:0 1em}
h1{font-size:1.5em}
pre{overflow-x:auto;border:1px solid var(--faint);border-radius:6px;padding:1em;font-size:13px}
svg{width:100%;height:auto;margin:.5em 0 1.5em}
svg text{font-size:11px;fill:var(--ink)}
svg text.title{font-size:14px;font-weight:600}
.grid{stroke:var(--faint)}
polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.line0{stroke:var(--c0)}.line1{stroke:var(--c1)}.line2{stroke:var(--c2)}.line3{stroke:var(--c3)}
.dot0,svg .name0{fill:var(--c0)}.dot1,svg .name1{fill:var(--c1)}
.dot2,svg .name2{fill:var(--c2)}.dot3,svg .name3{fill:var(--c3)}
";

pub(crate) fn page(report: &Report) -> String {
    let title = escape(&report.title);
    let plots: String = plots(report).iter().map(Plot::svg).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>Broker {}, measured by warren {}.</p>\n<pre>{}</pre>\n{plots}</body>\n</html>\n",
        escape(&report.broker),
        report.warren_version,
        escape(&table(report)),
    )
}

fn plots(report: &Report) -> Vec<Plot> {
    let seconds = ("seconds", Scale::Even);
    vec![
        Plot {
            title: "Throughput",
            across: seconds,
            up: ("a second", Scale::Even),
            series: by_second(
                report,
                &[
                    ("published", |second| positive(second.published_per_s)),
                    ("confirmed", |second| positive(second.confirmed_per_s)),
                    ("delivered", |second| positive(second.delivered_per_s)),
                    ("churned", |second| positive(second.churned_per_s)),
                ],
            ),
        },
        Plot {
            title: "Latency by second",
            across: seconds,
            up: ("microseconds", Scale::Log),
            series: by_second(
                report,
                &[
                    ("delivery p50", |second| second.delivery_p50_us),
                    ("delivery p99", |second| second.delivery_p99_us),
                    ("confirm p50", |second| second.confirm_p50_us),
                    ("confirm p99", |second| second.confirm_p99_us),
                ],
            ),
        },
        Plot {
            title: "Latency by share",
            across: ("of messages are as fast", Scale::Share),
            up: ("microseconds", Scale::Log),
            series: by_share(report),
        },
        Plot {
            title: "The broker's CPU",
            across: seconds,
            up: ("cores", Scale::Even),
            series: by_second(report, &[("cores", |second| second.broker_cores)]),
        },
        Plot {
            title: "The broker's memory",
            across: seconds,
            up: ("MiB", Scale::Even),
            series: by_second(report, &[("resident", |second| second.broker_mib)]),
        },
    ]
}

/// What of a second is drawn.
type Figure = fn(&SecondFigures) -> Option<f64>;

fn positive(value: f64) -> Option<f64> {
    Some(value).filter(|value| *value > 0.0)
}

/// A line each, of those that have something to show.
fn by_second(report: &Report, figures: &[(&'static str, Figure)]) -> Vec<Series> {
    let series = figures.iter().map(|(name, figure)| Series {
        name,
        points: report
            .seconds
            .iter()
            .filter_map(|second| Some((second.at_s, figure(second)?)))
            .collect(),
    });
    series.filter(|series| !series.points.is_empty()).collect()
}

fn by_share(report: &Report) -> Vec<Series> {
    let last = report.phases.last();
    let delivery = last.and_then(|phase| phase.delivery_latency.as_ref());
    let confirm = report
        .phases
        .iter()
        .rev()
        .find_map(|phase| phase.confirm_latency.as_ref());
    let churn = last.and_then(|phase| phase.churn_latency.as_ref());
    let all = [("delivery", delivery), ("confirm", confirm), ("churn", churn)];
    let found = all
        .into_iter()
        .filter_map(|(name, latency)| Some((name, latency?)));
    found
        .map(|(name, latency)| Series {
            name,
            points: latency.curve.clone(),
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

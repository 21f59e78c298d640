//! What a scenario has to say, in words and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger::Figures;

/// How a scenario ended.
pub(crate) enum Verdict {
    Passed,
    Failed(Vec<String>),
    Skipped(String),
}

/// One line of the output.
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) figures: Figures,
    /// Figures that only this scenario has.
    pub(crate) notes: Vec<(String, String)>,
    pub(crate) took: Duration,
}

impl Report {
    pub(crate) fn print(&self) {
        let seconds = self.took.as_secs_f64();
        let notes: String = self
            .notes
            .iter()
            .map(|(name, value)| format!(", {name} {value}"))
            .collect();
        match &self.verdict {
            Verdict::Skipped(reason) => println!("SKIP {}: {reason}", self.name),
            Verdict::Passed => println!(
                "ok   {}: {}{notes} ({seconds:.1} s)",
                self.name,
                self.figures.line()
            ),
            Verdict::Failed(reasons) => {
                println!(
                    "FAIL {}: {}{notes} ({seconds:.1} s)",
                    self.name,
                    self.figures.line()
                );
                for reason in reasons {
                    println!("     {}", reason.replace('\n', "\n     "));
                }
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let (verdict, reasons) = match &self.verdict {
            Verdict::Passed => ("ok", Vec::new()),
            Verdict::Failed(reasons) => ("fail", reasons.clone()),
            Verdict::Skipped(reason) => ("skip", vec![reason.clone()]),
        };
        let mut map = self.figures.json();
        for (name, value) in &self.notes {
            map.insert(name.clone(), json!(value));
        }
        json!({
            "scenario": self.name,
            "verdict": verdict,
            "reasons": reasons,
            "seconds": self.took.as_secs_f64(),
            "figures": map,
        })
    }
}

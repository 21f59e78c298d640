//! Values of options that are more than a number: sizes, rates, arguments of methods.

use std::fmt;
use std::str::FromStr;

use warren_protocol::amqp091::table::TableWriter;

use crate::random::Random;
use crate::stamp;

/// The largest body; RabbitMQ takes no more than this by its default of 4.x, some brokers take less.
const SIZE_MAX: usize = 128 * 1024 * 1024;

/// How large bodies are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Any size from the one to the other.
    Range(usize, usize),
    /// Sizes and how often each is drawn.
    Mixed(Vec<(usize, u64)>),
}

impl Sizes {
    /// One of them.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        match &self.0 {
            Kind::Range(low, high) => low + random.below(high - low + 1),
            Kind::Mixed(sizes) => {
                let all: u64 = sizes.iter().map(|(_, weight)| weight).sum();
                let mut drawn = random.below(usize::try_from(all).unwrap_or(usize::MAX)) as u64;
                let chosen = sizes.iter().find(|(_, weight)| {
                    let is_it = drawn < *weight;
                    drawn = drawn.saturating_sub(*weight);
                    is_it
                });
                chosen.map_or(stamp::BYTES, |(size, _)| *size)
            }
        }
    }

    /// The largest of them.
    pub(crate) fn largest(&self) -> usize {
        match &self.0 {
            Kind::Range(_, high) => *high,
            Kind::Mixed(sizes) => sizes.iter().map(|(size, _)| *size).max().unwrap_or(0),
        }
    }

    /// Whether all are the same.
    pub(crate) fn is_fixed(&self) -> bool {
        match &self.0 {
            Kind::Range(low, high) => low == high,
            Kind::Mixed(sizes) => sizes.len() < 2,
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (size(low)?, size(high)?);
            return match low <= high {
                true => Ok(Sizes(Kind::Range(low, high))),
                false => Err(format!("{low} is more than {high}")),
            };
        }
        let mut sizes = Vec::new();
        for part in text.split(',') {
            let (one, weight) = part.split_once('*').unwrap_or((part, "1"));
            let weight = match weight.trim().parse() {
                Ok(weight) if (1..=1_000_000).contains(&weight) => weight,
                _ => return Err(format!("`{weight}` is no weight: a number from 1 to 1000000")),
            };
            sizes.push((size(one)?, weight));
        }
        Ok(Sizes(Kind::Mixed(sizes)))
    }
}

/// Octets, with a unit if one likes.
fn size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|end: char| end.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "k" | "K" | "KiB" => 1024,
        "m" | "M" | "MiB" => 1024 * 1024,
        other => return Err(format!("`{other}` is no unit: B, KiB or MiB")),
    };
    let count: usize = digits.parse().map_err(|_| format!("`{text}` is no size"))?;
    match count.checked_mul(unit) {
        Some(octets) if octets > SIZE_MAX => Err(format!("{text} is more than 128 MiB")),
        None => Err(format!("{text} is more than 128 MiB")),
        Some(octets) if octets < stamp::BYTES => Err(format!(
            "{octets} octets are too few: a body has at least {}, for its number and its time",
            stamp::BYTES
        )),
        Some(octets) => Ok(octets),
    }
}

/// How often something is done, a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As often as possible.
    Max,
    /// So often.
    Fixed(f64),
    /// From the one to the other, in a straight line.
    Ramp(f64, f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Rate::Max);
        }
        let Some((low, high)) = text.split_once("..") else {
            return per_second(text, f64::MIN_POSITIVE).map(Rate::Fixed);
        };
        match (per_second(low, 0.0)?, per_second(high, 0.0)?) {
            (0.0, 0.0) => Err("a rate of nothing".to_owned()),
            (low, high) => Ok(Rate::Ramp(low, high)),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Max => f.write_str("max"),
            Rate::Fixed(rate) => write!(f, "{rate}"),
            Rate::Ramp(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

fn per_second(text: &str, least: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= least => Ok(rate),
        _ => Err(format!(
            "`{text}` is no rate: max, a number such as 2000, or a ramp such as 100..5000"
        )),
    }
}

/// An argument of a method: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: ArgumentValue,
}

/// What an argument's value looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentValue {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// Anything else.
    Text(String),
}

impl Argument {
    /// Into a table.
    pub(crate) fn write(&self, table: &mut TableWriter<'_>) {
        match &self.value {
            ArgumentValue::Bool(value) => table.bool(&self.key, *value),
            ArgumentValue::Number(value) => table.i64(&self.key, *value),
            ArgumentValue::Text(value) => table.string(&self.key, value),
        }
    }
}

impl FromStr for Argument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => (key, value),
            _ => return Err(format!("`{text}` is not KEY=VALUE")),
        };
        if key.len() > 255 {
            return Err("a key has at most 255 octets".to_owned());
        }
        let value = match (value, value.parse()) {
            ("true", _) => ArgumentValue::Bool(true),
            ("false", _) => ArgumentValue::Bool(false),
            (_, Ok(number)) => ArgumentValue::Number(number),
            _ => ArgumentValue::Text(value.to_owned()),
        };
        Ok(Argument {
            key: key.to_owned(),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Vec<usize> {
        let sizes: Sizes = text.parse().unwrap();
        let mut random = Random::new(7);
        (0..2000).map(|_| sizes.draw(&mut random)).collect()
    }

    #[test]
    fn sizes_are_fixed_or_between_or_mixed() {
        assert!(drawn("16").iter().all(|size| *size == 16));
        assert!(drawn("1KiB").iter().all(|size| *size == 1024));
        let between = drawn("16-20");
        assert!((16..=20).all(|size| between.contains(&size)));
        assert!(between.iter().all(|size| (16..=20).contains(size)));
        let mixed = drawn("100*9,64KiB");
        let large = mixed.iter().filter(|size| **size == 65_536).count();
        assert!((100..400).contains(&large), "{large} of 2000");
        assert!(mixed.iter().all(|size| [100, 65_536].contains(size)));
    }

    #[test]
    fn sizes_that_are_none_are_named() {
        let wrong = |text: &str| text.parse::<Sizes>().unwrap_err();
        assert!(wrong("15").contains("at least 16"));
        assert!(wrong("1GiB").contains("no unit"));
        assert!(wrong("1000MiB").contains("more than 128 MiB"));
        assert!(wrong("x").contains("no unit"));
        assert!(wrong("20-16").contains("more than 16"));
        assert!(wrong("16*0").contains("no weight"));
        assert!(wrong("").contains("no size"));
    }

    #[test]
    fn rates_are_read() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("2000".parse(), Ok(Rate::Fixed(2000.0)));
        assert_eq!("0.5".parse(), Ok(Rate::Fixed(0.5)));
        assert_eq!("0..500".parse(), Ok(Rate::Ramp(0.0, 500.0)));
        for wrong in ["0", "-1", "fast", "1..", "nan", "inf", "0..0"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments_have_the_type_that_they_look_like() {
        let value = |text: &str| text.parse::<Argument>().unwrap().value;
        assert_eq!(value("x-max-length=10"), ArgumentValue::Number(10));
        assert_eq!(value("x-single-active-consumer=true"), ArgumentValue::Bool(true));
        assert_eq!(
            value("x-queue-type=quorum"),
            ArgumentValue::Text("quorum".to_owned())
        );
        assert_eq!(value("a=b=c"), ArgumentValue::Text("b=c".to_owned()));
        assert!("x-queue-type".parse::<Argument>().is_err());
        assert!("=1".parse::<Argument>().is_err());
    }
}

//! Numbers as people read them.

/// A count, in groups of three digits.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Nanoseconds, in the unit that suits them.
pub(crate) fn microseconds(ns: u64) -> String {
    duration(ns as f64 / 1e3)
}

/// Microseconds, in the unit that suits them.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{} us", significant(us)),
        us if us < 1e6 => format!("{} ms", significant(us / 1e3)),
        us => format!("{} s", significant(us / 1e6)),
    }
}

/// Three digits that count.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => count(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(999.6), "1,000");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(duration(0.25), "0.25 us");
        assert_eq!(duration(98.25), "98.2 us");
        assert_eq!(duration(1500.0), "1.50 ms");
        assert_eq!(duration(2_000_000.0), "2.00 s");
        assert_eq!(microseconds(532_000), "532 us");
    }
}

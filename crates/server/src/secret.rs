//! What must not end up in a log: passwords and their hashes, of the configuration and of definitions files.
//!
//! It has no `Display`, and its `Debug` shows three stars, so that printing the structure around it stays
//! safe. Reading it takes the word [`reveal`](Secret::reveal), which is easy to search for.

use std::fmt;

use serde::Deserialize;

/// A value that is never printed, a text unless said otherwise.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps the value.
    pub fn new(value: impl Into<T>) -> Self {
        Secret(value.into())
    }

    /// The value itself.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_value() {
        let shown = format!("{:?}", Some(Secret::<String>::new("carrot")));
        assert_eq!(shown, "Some(***)");
    }
}

//! Setting and removing fields of a table whose other fields are copied as they lie in its bytes.

use super::{Cursor, Table, TableWriter, Value, read_value};

/// What becomes of the fields of a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'c> {
    /// The name.
    pub name: &'c [u8],
    /// The value that it is set to; without, the name is removed.
    pub value: Option<Value<'c>>,
}

impl<'c> Change<'c> {
    /// Sets a name to a long string.
    pub fn string(name: &'c str, value: &'c str) -> Self {
        Self {
            name: name.as_bytes(),
            value: Some(Value::LongString(value.as_bytes())),
        }
    }

    /// Removes a name.
    pub fn remove(name: &'c str) -> Self {
        Self {
            name: name.as_bytes(),
            value: None,
        }
    }
}

/// A field of the outcome.
enum Piece<'p> {
    Changed(&'p Change<'p>),
    /// Name and value.
    Copied(&'p [u8]),
}

impl TableWriter<'_> {
    /// Writes the fields of `table` but for those that are changed, and what these are set to: by rising
    /// name, and of each name one, the first. That is how RabbitMQ sends all headers.
    pub fn merged(&mut self, table: Table<'_>, changes: &[Change<'_>]) {
        let changed = changes.iter().map(|change| (change.name, Piece::Changed(change)));
        let copied = raw_fields(table).map(|(name, bytes)| (name, Piece::Copied(bytes)));
        let mut pieces: Vec<_> = changed.chain(copied).collect();
        // Stable: what changes a name comes before what it was.
        pieces.sort_by_key(|(name, _)| *name);
        pieces.dedup_by_key(|(name, _)| *name);
        for (name, piece) in pieces {
            match piece {
                Piece::Changed(Change { value, .. }) => {
                    if let Some(value) = value {
                        self.value(name, value);
                    }
                }
                Piece::Copied(bytes) => self.sink.out.extend_from_slice(bytes),
            }
        }
    }
}

/// Names, and names and values as they lie in the bytes.
fn raw_fields(table: Table<'_>) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut cursor = Cursor::new(table.raw());
    std::iter::from_fn(move || {
        let from = cursor.rest();
        let name = cursor.shortstr().ok()?;
        read_value(&mut cursor).ok()?;
        let length = from.len().saturating_sub(cursor.remaining());
        Some((name, from.get(..length)?))
    })
}

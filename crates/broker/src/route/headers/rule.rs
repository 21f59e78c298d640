//! What a binding asks of a message's headers, in the form in which it is compared.

use crate::value::{Table, Value, equivalent};

/// The argument that says how many of the others must match.
pub(super) const MATCH: &str = "x-match";

/// How many arguments must match, and which count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    any: bool,
    with_x: bool,
}

impl Match {
    /// The four words. `None` for any other value.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "all" => Some(Match {
                any: false,
                with_x: false,
            }),
            "any" => Some(Match {
                any: true,
                with_x: false,
            }),
            "all-with-x" => Some(Match {
                any: false,
                with_x: true,
            }),
            "any-with-x" => Some(Match {
                any: true,
                with_x: true,
            }),
            _ => None,
        }
    }

    fn counts(self, name: &str) -> bool {
        name != MATCH && (self.with_x || !name.starts_with("x-"))
    }
}

/// One argument: a header that should be there.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The header's name.
    pub(super) name: Box<str>,
    /// What it should hold; `None`: anything.
    pub(super) value: Option<Value>,
}

impl Wanted {
    fn takes(&self, found: &Value) -> bool {
        self.value.as_ref().is_none_or(|wanted| equivalent(wanted, found))
    }
}

/// The arguments of one binding.
#[derive(Debug)]
pub(super) struct Rule {
    /// One match is enough.
    pub(super) any: bool,
    /// The arguments that count, by name.
    pub(super) wanted: Vec<Wanted>,
}

impl Rule {
    /// Takes the arguments apart. What [`Match::parse`] does not know is refused before it gets here; if it
    /// does get here, from data of an older release, it means `all`.
    pub(super) fn parse(arguments: &Table) -> Self {
        let how = arguments.get(MATCH).and_then(Match::parse).unwrap_or(Match {
            any: false,
            with_x: false,
        });
        let counting = arguments.iter().filter(|(name, _)| how.counts(name));
        let mut wanted: Vec<Wanted> = counting
            .map(|(name, value)| Wanted {
                name: name.into(),
                value: (*value != Value::Void).then(|| value.clone()),
            })
            .collect();
        wanted.sort_by(|one, other| one.name.cmp(&other.name));
        Rule { any: how.any, wanted }
    }

    /// Whether these headers hold all that is wanted.
    pub(super) fn is_met_by(&self, headers: &MessageHeaders<'_>) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.all(|wanted| headers.get(&wanted.name).is_some_and(|found| wanted.takes(found)))
    }

    /// Whether this header is one of those that are wanted.
    pub(super) fn wants(&self, name: &str, value: &Value) -> bool {
        let first = self.wanted.partition_point(|wanted| *wanted.name < *name);
        let mut of_name = self
            .wanted
            .iter()
            .skip(first)
            .take_while(|wanted| *wanted.name == *name);
        of_name.any(|wanted| wanted.takes(value))
    }
}

/// A message's headers, sorted by name, each name once.
pub(super) struct MessageHeaders<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> MessageHeaders<'a> {
    /// Sorts the headers. Of several with one name the last one stays.
    pub(super) fn new(table: Option<&'a Table>) -> Self {
        let mut sorted: Vec<_> = table.into_iter().flat_map(Table::iter).collect();
        // The sort is stable: turned round, the last of a name is the first, which the next line keeps.
        sorted.reverse();
        sorted.sort_by_key(|(name, _)| *name);
        sorted.dedup_by_key(|(name, _)| *name);
        MessageHeaders(sorted)
    }

    /// The value of a header.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let at = self.0.binary_search_by_key(&name, |(found, _)| found).ok()?;
        self.0.get(at).map(|(_, value)| *value)
    }

    /// All headers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().copied()
    }
}

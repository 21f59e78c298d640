//! What the broker itself notes of a message, beside its content.
//!
//! ```text
//!   list  =  *( tag u8 │ length u32 │ value )        little-endian, each tag at most once
//!
//!   1 TTL          u64     the message's own time to live, in ms from when it was published
//!   2 DUE          u64     when it is due, in ms since 1970
//!   3 DEATHS               why it is a dead letter, see `deaths`
//!   5 KEYS         *text   further routing keys that it goes by (CC)
//!   6 HIDDEN_KEYS  *text   such of which nobody is told (BCC); text = length u32, bytes
//! ```
//! Where a message has any, the list stands behind its body, and behind the list its length (u32). Tags that
//! are not known are passed over; a list that is cut short ends where it makes no sense any more.

use super::deaths::{Deaths, Reader, put_text};

/// Tags of a list.
mod tag {
    pub(super) const TTL: u8 = 1;
    pub(super) const DUE: u8 = 2;
    pub(super) const DEATHS: u8 = 3;
    pub(super) const KEYS: u8 = 5;
    pub(super) const HIDDEN_KEYS: u8 = 6;
}

const HEAD_BYTES: usize = 1 + size_of::<u32>();

/// Length of the length behind a list.
pub(super) const LENGTH_BYTES: usize = size_of::<u32>();

/// Which annotations a message has, so that those that it has not are not looked for: they stand behind the
/// body, which may be far from what is in the processor's caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags(u8);

impl Tags {
    /// A bit for each tag that is known.
    #[inline]
    fn bit(tag: u8) -> u8 {
        1_u8.checked_shl(tag.into()).unwrap_or(0)
    }

    #[inline]
    pub(super) fn has_ttl(self) -> bool {
        self.0 & Self::bit(tag::TTL) != 0
    }

    #[inline]
    pub(super) fn has_due(self) -> bool {
        self.0 & Self::bit(tag::DUE) != 0
    }

    /// Whether there is a time to live, or a time when it is due.
    #[inline]
    pub fn has_times(self) -> bool {
        self.has_ttl() || self.has_due()
    }

    #[inline]
    pub(super) fn has_deaths(self) -> bool {
        self.0 & Self::bit(tag::DEATHS) != 0
    }
}

/// The annotations of a message, borrowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Annotations<'a>(&'a [u8]);

impl<'a> Annotations<'a> {
    /// Annotations as they stand in a message. Any bytes will do.
    pub fn new(list: &'a [u8]) -> Self {
        Self(list)
    }

    /// As they stand in a message.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Which there are.
    pub fn tags(self) -> Tags {
        Tags(self.iter().fold(0, |bits, (tag, _)| bits | Tags::bit(tag)))
    }

    /// The message's own time to live, in milliseconds from when it was published.
    pub fn ttl_ms(self) -> Option<u64> {
        self.number(tag::TTL)
    }

    /// When the message is due, in milliseconds since 1970; before, nobody gets it.
    pub fn due_ms(self) -> Option<u64> {
        self.number(tag::DUE)
    }

    /// Why it is a dead letter, if it is one.
    pub fn deaths(self) -> Option<Deaths<'a>> {
        self.find(tag::DEATHS).and_then(Deaths::read)
    }

    /// Further routing keys that the message goes by, as its publisher wants everybody to know.
    pub fn keys(self) -> impl Iterator<Item = &'a str> + Clone {
        self.texts(tag::KEYS)
    }

    /// Further routing keys that the message goes by, of which consumers are not told.
    pub fn hidden_keys(self) -> impl Iterator<Item = &'a str> + Clone {
        self.texts(tag::HIDDEN_KEYS)
    }

    /// The annotations of a dead letter of this message: what it waited for is over, and so is its time to
    /// live. `keeps_keys` where it goes by its own.
    pub(super) fn of_dead_letter(self, deaths: &Deaths<'_>, keeps_keys: bool) -> AnnotationsWriter {
        let mut noted = AnnotationsWriter::default();
        for (tag, value) in self.iter() {
            match tag {
                tag::TTL | tag::DUE | tag::DEATHS => {}
                tag::KEYS | tag::HIDDEN_KEYS if !keeps_keys => {}
                _ => noted.put(tag, value),
            }
        }
        let mut written = Vec::new();
        deaths.write(&mut written);
        noted.put(tag::DEATHS, &written);
        noted
    }

    fn texts(self, tag: u8) -> impl Iterator<Item = &'a str> + Clone {
        let mut reader = Reader(self.find(tag).unwrap_or_default());
        std::iter::from_fn(move || reader.text())
    }

    fn number(self, tag: u8) -> Option<u64> {
        Some(u64::from_le_bytes(self.find(tag)?.try_into().ok()?))
    }

    fn find(self, wanted: u8) -> Option<&'a [u8]> {
        self.iter()
            .find(|(tag, _)| *tag == wanted)
            .map(|(_, value)| value)
    }

    fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (&tag, behind) = rest.split_first()?;
            let (length, behind) = behind.split_first_chunk()?;
            let (value, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some((tag, value))
        })
    }
}

/// Writes annotations. Each is set once.
#[derive(Debug, Default)]
pub struct AnnotationsWriter(Vec<u8>);

impl AnnotationsWriter {
    /// Forgets what was written, and keeps the buffer.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What was written, as it stands in a message.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// See [`Annotations::ttl_ms`].
    pub fn ttl_ms(&mut self, ttl_ms: u64) {
        self.put(tag::TTL, &ttl_ms.to_le_bytes());
    }

    /// See [`Annotations::due_ms`].
    pub fn due_ms(&mut self, due_ms: u64) {
        self.put(tag::DUE, &due_ms.to_le_bytes());
    }

    /// See [`Annotations::keys`].
    pub fn keys(&mut self, keys: &[String]) {
        self.texts(tag::KEYS, keys);
    }

    /// See [`Annotations::hidden_keys`].
    pub fn hidden_keys(&mut self, keys: &[String]) {
        self.texts(tag::HIDDEN_KEYS, keys);
    }

    fn texts(&mut self, tag: u8, texts: &[String]) {
        if !texts.is_empty() {
            let mut value = Vec::new();
            texts.iter().for_each(|text| put_text(&mut value, text));
            self.put(tag, &value);
        }
    }

    fn put(&mut self, tag: u8, value: &[u8]) {
        // A value of 4 GiB is nothing that could be noted: it is left out.
        if let Ok(length) = u32::try_from(value.len()) {
            self.0.reserve(HEAD_BYTES + value.len());
            self.0.push(tag);
            self.0.extend_from_slice(&length.to_le_bytes());
            self.0.extend_from_slice(value);
        }
    }
}

/// How long what stands behind the body is, by its last bytes: the list and its length. `None` when
/// `stored` is too short for that.
pub fn tail_bytes(stored: &[u8]) -> Option<usize> {
    let (before, length) = stored.split_last_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    (length <= before.len()).then_some(length + LENGTH_BYTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_noted_is_read_again() {
        let mut writer = AnnotationsWriter::default();
        assert!(Annotations::new(writer.bytes()).is_empty());
        writer.ttl_ms(60_000);
        writer.put(200, b"of a later version");
        writer.due_ms(u64::MAX);
        let read = Annotations::new(writer.bytes());
        assert_eq!((read.ttl_ms(), read.due_ms()), (Some(60_000), Some(u64::MAX)));
        writer.clear();
        writer.due_ms(5);
        let read = Annotations::new(writer.bytes());
        assert_eq!((read.ttl_ms(), read.due_ms()), (None, Some(5)));
        assert_eq!(
            (
                read.tags().has_ttl(),
                read.tags().has_due(),
                read.tags().has_deaths()
            ),
            (false, true, false)
        );
    }

    #[test]
    fn further_keys_are_known_apart() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let mut writer = AnnotationsWriter::default();
        writer.keys(&keys(&[]));
        assert!(writer.bytes().is_empty());
        writer.keys(&keys(&["a", "", "b"]));
        writer.hidden_keys(&keys(&["c"]));
        let read = Annotations::new(writer.bytes());
        assert!(read.keys().eq(["a", "", "b"]));
        assert!(read.hidden_keys().eq(["c"]));
    }

    #[test]
    fn a_number_of_another_width_is_none() {
        let mut writer = AnnotationsWriter::default();
        writer.put(tag::TTL, &[1, 0, 0, 0]);
        assert_eq!(Annotations::new(writer.bytes()).ttl_ms(), None);
    }

    #[test]
    fn a_tail_is_as_long_as_its_end_says() {
        assert_eq!(tail_bytes(b"body\0\0\0\0"), Some(4));
        assert_eq!(tail_bytes(b"bodylist\x04\0\0\0"), Some(8));
        assert_eq!(tail_bytes(b"\x01\0\0\0"), None);
        assert_eq!(tail_bytes(b"\0\0\0"), None);
        assert_eq!(tail_bytes(b"body\xff\xff\xff\xff"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let read = Annotations::new(&bytes);
            let tags = read.tags();
            prop_assert!(tags.has_ttl() || read.ttl_ms().is_none());
            prop_assert!(tags.has_due() || read.due_ms().is_none());
            prop_assert!(tags.has_deaths() || read.deaths().is_none());
            prop_assert!(read.keys().count() + read.hidden_keys().count() <= bytes.len());
            let read_bytes: usize = read.iter().map(|(_, value)| value.len() + HEAD_BYTES).sum();
            prop_assert!(read_bytes <= bytes.len());
        }

        #[test]
        fn a_list_that_is_cut_keeps_what_is_before(
            ttl in any::<u64>(),
            due in any::<u64>(),
            cut in 0..13_usize,
        ) {
            let mut writer = AnnotationsWriter::default();
            writer.ttl_ms(ttl);
            writer.due_ms(due);
            let cut = writer.bytes().get(..writer.bytes().len() - cut - 1).unwrap();
            prop_assert_eq!(Annotations::new(cut).ttl_ms(), Some(ttl));
            prop_assert_eq!(Annotations::new(cut).due_ms(), None);
        }
    }
}

//! The way of one message through the trie.
//!
//! Between the words of a key are places: 0 before the first, and so on to the one behind the last. A node is
//! reached at a set of places: wherever the words so far are what leads to the node. The set of a child
//! follows from the set of its parent, all places at once, since a set is a few bits:
//!
//! ```text
//!   by a word   the places in front of which the word stands, each one further
//!   by *        all places, each one further
//!   by #        the first place and all behind it
//! ```
//!
//! So each node is visited once, however many ways lead to it, and a binding key of many `#` costs no more
//! than another. Places of a short key fit one number; for others there is [`long`].

mod long;

use smallvec::SmallVec;

use super::super::Destination;
use super::super::edges::NodeId;
use super::trie::{Node, ROOT, Trie, WordId};

/// Words of the longest key whose places fit one number.
const SHORT_MAX: usize = 63;

/// The words of a key by their numbers, if any binding key has them.
type Words = SmallVec<[Option<WordId>; 8]>;

/// Passes the destinations of all binding keys that match these words, each node's once.
pub(super) fn walk<'a>(trie: &Trie, words: impl Iterator<Item = &'a str>, sink: &mut dyn FnMut(Destination)) {
    let words: Words = words.map(|text| trie.word(text)).collect();
    match words.len() <= SHORT_MAX {
        true => short(trie, &words, sink),
        false => long::walk(trie, &words, sink),
    }
}

fn short(trie: &Trie, words: &[Option<WordId>], sink: &mut dyn FnMut(Destination)) {
    let last = 1_u64 << words.len();
    let places = places(words);
    let mut waiting: SmallVec<[(&Node, u64); 16]> = SmallVec::new();
    waiting.extend(trie.node(ROOT).map(|root| (root, 1)));
    while let Some((node, set)) = waiting.pop() {
        if set & last != 0 {
            node.destinations.for_each(sink);
        }
        let mut come = |child: NodeId, set: u64| {
            waiting.extend(trie.node(child).map(|node| (node, set)));
        };
        if let Some(child) = node.hash {
            // All from the lowest bit on, up to the last.
            come(child, (set | set.wrapping_neg()) & (last | (last - 1)));
        }
        let set = set & !last;
        if set == 0 {
            continue;
        }
        if let Some(child) = node.star {
            come(child, set << 1);
        }
        let mut come_by_word = |child: NodeId, places: u64| {
            if set & places != 0 {
                come(child, (set & places) << 1);
            }
        };
        // Whichever is less is looked for in the other.
        if node.words.len() > places.len() {
            for (word, places) in &places {
                if let Some(child) = node.words.find(*word) {
                    come_by_word(child, *places);
                }
            }
        } else {
            node.words.for_each(|word, child| {
                if let Some((_, places)) = places.iter().find(|(found, _)| *found == word) {
                    come_by_word(child, *places);
                }
            });
        }
    }
}

/// The places in front of each word that some binding key has.
fn places(words: &[Option<WordId>]) -> SmallVec<[(WordId, u64); 8]> {
    let mut places: SmallVec<[(WordId, u64); 8]> = SmallVec::new();
    for (word, place) in words.iter().zip(0..) {
        let Some(word) = word else { continue };
        match places.iter_mut().find(|(found, _)| found == word) {
            Some((_, places)) => *places |= 1 << place,
            None => places.push((*word, 1 << place)),
        }
    }
    places
}

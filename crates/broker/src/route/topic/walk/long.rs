//! The walk of a key of any length: a set of places is a run of numbers, and a node's is made when it is
//! visited.
//!
//! It costs at most nodes times words, divided by 64. Keys of thousands of words exist: in the header CC.

use std::ops::Range;

use smallvec::SmallVec;

use super::super::super::Destination;
use super::super::super::edges::NodeId;
use super::super::trie::{Node, ROOT, Trie, WordId};

/// Places of a set that one number holds.
const BITS: usize = 64;

/// A set of places, as bits from the lowest on. All of one walk are equally long.
type Places = [u64];

/// Passes the destinations of all binding keys that match these words, each node's once.
pub(super) fn walk(trie: &Trie, words: &[Option<WordId>], sink: &mut dyn FnMut(Destination)) {
    let mut walk = Walk {
        trie,
        key: Key::new(words),
        sets: SmallVec::new(),
        waiting: SmallVec::new(),
    };
    walk.sets.resize(walk.key.blocks, 0);
    insert(&mut walk.sets, 0);
    walk.visit(ROOT, 0, sink);
    while let Some(next) = walk.waiting.pop() {
        walk.enter(next, sink);
    }
}

struct Walk<'a> {
    trie: &'a Trie,
    key: Key,
    /// The sets of the nodes between the root and the one that is visited, one behind the other.
    sets: SmallVec<[u64; 16]>,
    waiting: SmallVec<[Arrival; 16]>,
}

/// A node that is reached, and how. Its parent is visited, with all above it.
#[derive(Clone, Copy)]
struct Arrival {
    node: NodeId,
    /// Edges between the root and the node.
    depth: u32,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// By the word with this place in [`Key::words`].
    Word(u32),
    Star,
    Hash,
}

impl Walk<'_> {
    fn enter(&mut self, next: Arrival, sink: &mut dyn FnMut(Destination)) {
        let begin = next.depth as usize * self.key.blocks;
        let end = begin + self.key.blocks;
        if self.sets.len() < end {
            self.sets.resize(end, 0);
        }
        let (above, from_here) = self.sets.split_at_mut(begin);
        let from = above.get(begin - self.key.blocks..).unwrap_or_default();
        let to = from_here.get_mut(..self.key.blocks).unwrap_or_default();
        match next.step {
            Step::Word(word) => self.key.advance_by(word, from, to),
            Step::Star => self.key.advance(from, to),
            Step::Hash => self.key.spread(from, to),
        }
        self.visit(next.node, next.depth, sink);
    }

    /// Passes the destinations of a node whose set is made, and finds which children are reached.
    fn visit(&mut self, id: NodeId, depth: u32, sink: &mut dyn FnMut(Destination)) {
        let Some(node) = self.trie.node(id) else { return };
        let begin = depth as usize * self.key.blocks;
        let set = self.sets.get(begin..begin + self.key.blocks).unwrap_or_default();
        if contains(set, self.key.count) {
            node.destinations.for_each(sink);
        }
        let mut come = |node, step| {
            self.waiting.push(Arrival {
                node,
                depth: depth + 1,
                step,
            });
        };
        if let Some(child) = node.hash {
            come(child, Step::Hash);
        }
        if !self.key.has_words_after(set) {
            return;
        }
        if let Some(child) = node.star {
            come(child, Step::Star);
        }
        self.key
            .for_each_child(node, set, |child, word| come(child, Step::Word(word)));
    }
}

/// The words of a message's key that some binding key has, and where they stand.
struct Key {
    /// How many words the key has, known or not.
    count: usize,
    /// Numbers of a set.
    blocks: usize,
    /// Sorted by word.
    words: SmallVec<[Known; 8]>,
    /// The places in front of words, sorted by word and place.
    places: SmallVec<[(WordId, u32); 8]>,
    /// The same as sets, of words that stand so often that this is quicker.
    sets: SmallVec<[u64; 8]>,
}

struct Known {
    word: WordId,
    /// Which of [`Key::places`] are its own.
    places: Range<u32>,
    /// Where in [`Key::sets`] its set begins, if it has one.
    set: Option<u32>,
}

impl Key {
    fn new(words: &[Option<WordId>]) -> Self {
        let known = words
            .iter()
            .zip(0..)
            .filter_map(|(word, place)| Some(((*word)?, place)));
        let mut key = Key {
            count: words.len(),
            blocks: words.len() / BITS + 1,
            words: SmallVec::new(),
            places: known.collect(),
            sets: SmallVec::new(),
        };
        key.places.sort_unstable();
        let mut begin = 0;
        for same in key.places.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((word, _)) = same.first() else { continue };
            let end = begin + same.len() as u32;
            let is_frequent = same.len() >= key.blocks;
            key.words.push(Known {
                word: *word,
                places: begin..end,
                set: is_frequent.then_some(key.sets.len() as u32),
            });
            if is_frequent {
                let begin = key.sets.len();
                key.sets.resize(begin + key.blocks, 0);
                let set = key.sets.get_mut(begin..).unwrap_or_default();
                same.iter().for_each(|(_, place)| insert(set, *place as usize));
            }
            begin = end;
        }
        key
    }

    /// Passes the children by words that are reached from a set, with the places of their words in `words`.
    fn for_each_child(&self, node: &Node, set: &Places, mut sink: impl FnMut(NodeId, u32)) {
        if node.words.len() > self.words.len() {
            for (known, at) in self.words.iter().zip(0..) {
                if self.meets(known, set)
                    && let Some(child) = node.words.find(known.word)
                {
                    sink(child, at);
                }
            }
            return;
        }
        node.words.for_each(|word, child| {
            if let Ok(at) = self.words.binary_search_by_key(&word, |known| known.word)
                && self.words.get(at).is_some_and(|known| self.meets(known, set))
            {
                sink(child, at as u32);
            }
        });
    }

    /// Whether the word stands behind a place of the set.
    fn meets(&self, known: &Known, set: &Places) -> bool {
        match self.set(known) {
            Some(own) => own.iter().zip(set).any(|(own, set)| own & set != 0),
            None => self.places(known).any(|place| contains(set, place)),
        }
    }

    /// Where one comes to from a set by a word.
    fn advance_by(&self, at: u32, from: &Places, to: &mut Places) {
        let Some(known) = self.words.get(at as usize) else {
            return;
        };
        let Some(own) = self.set(known) else {
            to.fill(0);
            let places = self.places(known).filter(|place| contains(from, *place));
            return places.for_each(|place| insert(to, place + 1));
        };
        let mut carry = 0;
        for ((to, from), own) in to.iter_mut().zip(from).zip(own) {
            let met = from & own;
            *to = met << 1 | carry;
            carry = met >> (BITS - 1);
        }
    }

    /// Where one comes to from a set by any word.
    fn advance(&self, from: &Places, to: &mut Places) {
        let mut carry = 0;
        for (to, from) in to.iter_mut().zip(from) {
            *to = from << 1 | carry;
            carry = from >> (BITS - 1);
        }
        self.cut(to);
    }

    /// Where one comes to from a set by any number of words.
    fn spread(&self, from: &Places, to: &mut Places) {
        let mut is_begun = false;
        for (to, from) in to.iter_mut().zip(from) {
            *to = match is_begun {
                true => u64::MAX,
                // All from the lowest bit on; nothing of nothing.
                false => from | from.wrapping_neg(),
            };
            is_begun |= *from != 0;
        }
        self.cut(to);
    }

    /// Takes out what is behind the last place.
    fn cut(&self, set: &mut Places) {
        if let Some(last) = set.last_mut() {
            *last &= u64::MAX >> (BITS - 1 - self.count % BITS);
        }
    }

    /// Whether a set has any place but the last one.
    fn has_words_after(&self, set: &Places) -> bool {
        let Some((last, others)) = set.split_last() else {
            return false;
        };
        last & !(1 << (self.count % BITS)) != 0 || others.iter().any(|block| *block != 0)
    }

    fn set(&self, known: &Known) -> Option<&Places> {
        let begin = known.set? as usize;
        self.sets.get(begin..begin + self.blocks)
    }

    fn places(&self, known: &Known) -> impl Iterator<Item = usize> {
        let range = known.places.start as usize..known.places.end as usize;
        let places = self.places.get(range).unwrap_or_default();
        places.iter().map(|(_, place)| *place as usize)
    }
}

fn insert(set: &mut Places, place: usize) {
    if let Some(block) = set.get_mut(place / BITS) {
        *block |= 1 << (place % BITS);
    }
}

fn contains(set: &Places, place: usize) -> bool {
    set.get(place / BITS)
        .is_some_and(|block| block >> (place % BITS) & 1 == 1)
}

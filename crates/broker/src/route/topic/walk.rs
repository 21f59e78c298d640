//! The way of one message through the trie.
//!
//! All nodes that match the words so far are walked at once, in two sets. A node that was reached by a word
//! or by `*` is there for one step. A node that was reached by `#` stays for good, since `#` takes any
//! further word; for the same reason it matches at once, whatever is still to come. Only such a node could be
//! put into a set a second time, and only below another `#`: those are remembered, so that no node is ever in
//! a set twice, and the walk costs at most words times nodes.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::super::Destination;
use super::trie::{Node, NodeId, ROOT, Trie};

/// Up to here a walk over the list is as quick as a hash.
const LISTED_MAX: usize = 16;

type Nodes = SmallVec<[NodeId; 16]>;

/// Passes the destinations of all binding keys that match these words.
pub(super) fn walk<'a>(trie: &Trie, words: impl Iterator<Item = &'a str>, sink: &mut dyn FnMut(Destination)) {
    let mut walk = Walk {
        trie,
        sink,
        here: Nodes::new(),
        next: Nodes::new(),
        staying: Nodes::new(),
        met: Met::default(),
    };
    walk.enter(ROOT);
    std::mem::swap(&mut walk.here, &mut walk.next);
    for word in words {
        if walk.here.is_empty() && walk.staying.is_empty() {
            return;
        }
        walk.step(word);
    }
    walk.finish();
}

struct Walk<'a> {
    trie: &'a Trie,
    sink: &'a mut dyn FnMut(Destination),
    /// Nodes by a word or `*` that match exactly the words so far.
    here: Nodes,
    /// The same with the word of the step that is under way.
    next: Nodes,
    /// Nodes by `#`, as far as they have children.
    staying: Nodes,
    met: Met,
}

impl Walk<'_> {
    fn step(&mut self, word: &str) {
        let word = self.trie.word(word);
        self.next.clear();
        // Those that come to stay in this step begin with the next word.
        let staying = self.staying.len();
        for at in 0..self.here.len() {
            self.go_on(self.here.get(at).copied(), word);
        }
        for at in 0..staying {
            self.go_on(self.staying.get(at).copied(), word);
        }
        std::mem::swap(&mut self.here, &mut self.next);
    }

    fn go_on(&mut self, from: Option<NodeId>, word: Option<u32>) {
        let Some(id) = from else { return };
        let Some(node) = self.trie.node(id) else { return };
        if let Some(child) = word.and_then(|word| self.trie.child(id, word)) {
            self.enter(child);
        }
        if let Some(child) = node.star {
            self.enter(child);
        }
    }

    /// Comes to a node by a word or `*`, and with that to its child by `#`, which may take no word at all.
    fn enter(&mut self, id: NodeId) {
        self.next.push(id);
        let Some(node) = self.trie.node(id) else { return };
        let Some(hash) = node.hash else { return };
        if node.below_hash && !self.met.insert(hash) {
            return;
        }
        let Some(hash_node) = self.trie.node(hash) else {
            return;
        };
        self.pass(hash_node);
        if hash_node.has_children_by_word() {
            self.staying.push(hash);
        }
    }

    /// The words are over: what is here matches.
    fn finish(&mut self) {
        for id in std::mem::take(&mut self.here) {
            if let Some(node) = self.trie.node(id) {
                self.pass(node);
            }
        }
    }

    fn pass(&mut self, node: &Node) {
        node.destinations.for_each(self.sink);
    }
}

/// The nodes that were met.
#[derive(Default)]
struct Met {
    listed: Nodes,
    hashed: HashSet<NodeId, RandomState>,
}

impl Met {
    /// Whether the node is met for the first time.
    fn insert(&mut self, id: NodeId) -> bool {
        if self.listed.contains(&id) {
            return false;
        }
        if self.listed.len() < LISTED_MAX {
            self.listed.push(id);
            return true;
        }
        self.hashed.insert(id)
    }
}

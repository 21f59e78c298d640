//! The trie of binding keys.
//!
//! Nodes are numbers into one list, and words are numbers too: a message looks each of its words up once, as
//! text, however many nodes it then walks.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::Destination;
use super::super::edges::{Edges, NodeId};
use super::super::multiset::Destinations;

/// A word that some binding key has: where it stands in the list of words.
pub(super) type WordId = u32;

/// The root, which stands for no words at all.
pub(super) const ROOT: NodeId = 0;

/// How a node is reached from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Edge {
    /// The root, or a node that is free.
    #[default]
    None,
    /// By this word.
    Word(WordId),
    /// By `*`.
    Star,
    /// By `#`.
    Hash,
}

/// A node of the trie.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where binding keys lead that end here.
    pub(super) destinations: Destinations,
    /// The child by `*`.
    pub(super) star: Option<NodeId>,
    /// The child by `#`. A node that is reached by `#` has none.
    pub(super) hash: Option<NodeId>,
    /// The children by words.
    pub(super) words: Edges<WordId>,
    parent: NodeId,
    edge: Edge,
}

impl Node {
    fn is_needed(&self) -> bool {
        !self.destinations.is_empty() || !self.words.is_empty() || self.star.is_some() || self.hash.is_some()
    }
}

/// A word and how many edges it labels.
#[derive(Debug)]
struct Word {
    text: Arc<str>,
    edges: u32,
}

/// The trie. Every node but the root has a destination at or below it.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    free_nodes: Vec<NodeId>,
    words: Vec<Word>,
    free_words: Vec<WordId>,
    /// Texts come from clients, so this hash is one that they cannot aim at.
    word_ids: HashMap<Arc<str>, WordId>,
}

impl Default for Trie {
    fn default() -> Self {
        Trie {
            nodes: vec![Node::default()],
            free_nodes: Vec::new(),
            words: Vec::new(),
            free_words: Vec::new(),
            word_ids: HashMap::new(),
        }
    }
}

impl Trie {
    /// The node with this number.
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    /// The number of a word, if any binding key has it.
    pub(super) fn word(&self, text: &str) -> Option<WordId> {
        self.word_ids.get(text).copied()
    }

    fn child(&self, id: NodeId, word: WordId) -> Option<NodeId> {
        self.node(id)?.words.find(word)
    }

    /// Adds a binding.
    pub(super) fn insert<'a>(&mut self, words: impl Iterator<Item = &'a str>, destination: Destination) {
        let mut at = ROOT;
        for text in words {
            at = match text {
                // A second one in a row says nothing new.
                "#" if self.node(at).is_some_and(|node| node.edge == Edge::Hash) => at,
                "#" => self
                    .node(at)
                    .and_then(|node| node.hash)
                    .unwrap_or_else(|| self.grow(at, Edge::Hash)),
                "*" => self
                    .node(at)
                    .and_then(|node| node.star)
                    .unwrap_or_else(|| self.grow(at, Edge::Star)),
                _ => {
                    let word = self.word(text).unwrap_or_else(|| self.learn(text));
                    self.child(at, word)
                        .unwrap_or_else(|| self.grow(at, Edge::Word(word)))
                }
            };
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.destinations.add(destination);
        }
    }

    /// Removes a binding. One that is not there changes nothing.
    pub(super) fn remove<'a>(&mut self, words: impl Iterator<Item = &'a str>, destination: Destination) {
        let Some(at) = self.find(words) else { return };
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.destinations.remove(destination);
        }
        self.prune(at);
    }

    /// Removes all bindings to a destination.
    pub(super) fn clear(&mut self, destination: Destination) {
        let mut touched = Vec::new();
        for (id, node) in (ROOT..).zip(&mut self.nodes) {
            if node.destinations.clear(destination) {
                touched.push(id);
            }
        }
        for id in touched {
            self.prune(id);
        }
    }

    fn find<'a>(&self, words: impl Iterator<Item = &'a str>) -> Option<NodeId> {
        let mut at = ROOT;
        for text in words {
            let node = self.node(at)?;
            at = match text {
                "#" if node.edge == Edge::Hash => at,
                "#" => node.hash?,
                "*" => node.star?,
                _ => self.child(at, self.word(text)?)?,
            };
        }
        Some(at)
    }

    /// Adds a child to a node.
    fn grow(&mut self, parent: NodeId, edge: Edge) -> NodeId {
        let node = Node {
            parent,
            edge,
            ..Node::default()
        };
        let id = place(&mut self.nodes, &mut self.free_nodes, node);
        if let Edge::Word(word) = edge
            && let Some(word) = self.words.get_mut(word as usize)
        {
            word.edges += 1;
        }
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            match edge {
                Edge::Word(word) => parent.words.insert(word, id),
                Edge::Star => parent.star = Some(id),
                Edge::Hash => parent.hash = Some(id),
                Edge::None => {}
            }
        }
        id
    }

    /// Frees a node that nothing needs any more, and its ancestors likewise.
    fn prune(&mut self, mut id: NodeId) {
        while let Some(node) = self.nodes.get_mut(id as usize).filter(|node| !node.is_needed()) {
            let Node { parent, edge, .. } = std::mem::take(node);
            if edge == Edge::None {
                return;
            }
            self.free_nodes.push(id);
            if let Edge::Word(word) = edge {
                self.unlearn(word);
            }
            if let Some(parent) = self.nodes.get_mut(parent as usize) {
                match edge {
                    Edge::Word(word) => parent.words.remove(word),
                    Edge::Star => parent.star = None,
                    Edge::Hash => parent.hash = None,
                    Edge::None => {}
                }
            }
            id = parent;
        }
    }

    /// Gives a new word its number. Its first edge follows at once.
    fn learn(&mut self, text: &str) -> WordId {
        let text: Arc<str> = text.into();
        let id = place(
            &mut self.words,
            &mut self.free_words,
            Word {
                text: text.clone(),
                edges: 0,
            },
        );
        self.word_ids.insert(text, id);
        id
    }

    /// Takes back one edge of a word, and its number with the last one.
    fn unlearn(&mut self, id: WordId) {
        let Some(word) = self.words.get_mut(id as usize) else {
            return;
        };
        word.edges -= 1;
        if word.edges == 0 {
            self.word_ids.remove(&word.text);
            word.text = Arc::default();
            self.free_words.push(id);
        }
    }

    /// How many nodes and words are in use.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        assert_eq!(self.words.len() - self.free_words.len(), self.word_ids.len());
        (self.nodes.len() - self.free_nodes.len(), self.word_ids.len())
    }
}

/// Puts an item where one was freed, or at the end, and says where.
fn place<T>(items: &mut Vec<T>, free: &mut Vec<u32>, item: T) -> u32 {
    if let Some(id) = free.pop()
        && let Some(slot) = items.get_mut(id as usize)
    {
        *slot = item;
        return id;
    }
    items.push(item);
    // A table of 2^32 nodes would be hundreds of gigabytes: memory ends first.
    (items.len() - 1) as u32
}

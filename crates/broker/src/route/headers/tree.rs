//! Sets of arguments, and which of them are contained in what a message holds.
//!
//! A set is a path: its arguments one after the other, in an order that all sets keep. Sets that begin alike
//! share their beginning.
//!
//! ```text
//!   {a, b}  {a, c}  {c}       root -a-> o -b-> [{a, b}]
//!                                       o -c-> [{a, c}]
//!                             root -c-> [{c}]
//! ```
//!
//! A message comes to the nodes of which it holds the whole path, and from each looks either for all
//! children of the node in what it holds, or for all that it holds among the children, whichever is less.
//! So it costs what it matches and what begins alike, and never much more than the tree has edges.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::super::edges::{Edges, NodeId};
use super::Slot;
use super::index::Argument;
use super::slots::Slots;

/// The root, which stands for the empty set.
const ROOT: NodeId = 0;

/// Up to so many headers are looked for among the children of a node without asking which are fewer.
const HEADERS_FEW: usize = 32;

/// A header of a message, as the two arguments that it satisfies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// That it is there.
    pub(super) named: Argument,
    /// That it has this value.
    pub(super) valued: Argument,
}

#[derive(Debug, Default)]
struct Node {
    /// Rules with exactly the arguments on the way here.
    slots: Slots,
    /// Nodes with one argument more.
    children: Edges<Argument>,
    parent: NodeId,
    /// The argument by which it is reached.
    by: Argument,
}

/// The tree. Every node but the root has a rule at or below it.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            nodes: vec![Node::default()],
            free: Vec::new(),
        }
    }
}

impl Tree {
    /// Adds a rule with these arguments, which is not there.
    pub(super) fn insert(&mut self, path: &[Argument], slot: Slot) {
        let mut at = ROOT;
        for by in path {
            let child = self.node(at).and_then(|node| node.children.find(*by));
            at = child.unwrap_or_else(|| self.grow(at, *by));
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.slots.insert(slot);
        }
    }

    /// Removes a rule with these arguments, if it is there.
    pub(super) fn remove(&mut self, path: &[Argument], slot: Slot) {
        let step = |at, by: &Argument| self.node(at).and_then(|node| node.children.find(*by));
        let Some(at) = path.iter().try_fold(ROOT, step) else {
            return;
        };
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.slots.remove(slot);
        }
        self.prune(at);
    }

    /// Whether any rule has arguments.
    pub(super) fn has_paths(&self) -> bool {
        self.node(ROOT).is_some_and(|root| !root.children.is_empty())
    }

    /// Passes the rules without arguments.
    pub(super) fn for_each_without_path(&self, sink: &mut dyn FnMut(Slot)) {
        if let Some(root) = self.node(ROOT) {
            root.slots.for_each(sink);
        }
    }

    /// Passes the rules whose arguments a message holds, given by its headers in the order of the paths.
    pub(super) fn for_each(&self, headers: SmallVec<[Held; 8]>, sink: &mut dyn FnMut(Slot)) {
        // Where in `headers` each argument stands; made when a node asks for it.
        let mut places = None;
        // Nodes that the message comes to, and the first header that can lead on from there.
        let mut waiting: SmallVec<[(NodeId, usize); 16]> = SmallVec::new();
        waiting.push((ROOT, 0));
        while let Some((at, from)) = waiting.pop() {
            let Some(node) = self.node(at) else { continue };
            node.slots.for_each(sink);
            let later = headers.get(from..).unwrap_or_default();
            if later.len() > HEADERS_FEW && node.children.len() < later.len() {
                let places = places.get_or_insert_with(|| places_of(&headers));
                node.children.for_each(|by, child| {
                    if let Some(place) = places.get(&by) {
                        waiting.push((child, place + 1));
                    }
                });
                continue;
            }
            for (header, next) in later.iter().zip(from + 1..) {
                for by in [header.named, header.valued] {
                    waiting.extend(node.children.find(by).map(|child| (child, next)));
                }
            }
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn grow(&mut self, parent: NodeId, by: Argument) -> NodeId {
        let node = Node {
            parent,
            by,
            ..Node::default()
        };
        let id = match self.free.pop() {
            Some(id) => id,
            // A tree of 2^32 nodes would be hundreds of gigabytes: memory ends first.
            None => self.nodes.len() as NodeId,
        };
        match self.nodes.get_mut(id as usize) {
            Some(free) => *free = node,
            None => self.nodes.push(node),
        }
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.children.insert(by, id);
        }
        id
    }

    /// Frees a node that nothing needs any more, and its ancestors likewise.
    fn prune(&mut self, mut id: NodeId) {
        while id != ROOT
            && let Some(node) = self.nodes.get_mut(id as usize)
            && node.slots.is_empty()
            && node.children.is_empty()
        {
            let Node { parent, by, .. } = std::mem::take(node);
            self.free.push(id);
            if let Some(parent) = self.nodes.get_mut(parent as usize) {
                parent.children.remove(by);
            }
            id = parent;
        }
    }

    /// Whether nothing is entered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let is_bare = |root: &Node| root.slots.is_empty() && root.children.is_empty();
        self.free.len() + 1 == self.nodes.len() && self.node(ROOT).is_some_and(is_bare)
    }
}

fn places_of(headers: &[Held]) -> HashMap<Argument, usize, RandomState> {
    let places = headers.iter().zip(0..);
    places
        .flat_map(|(header, place)| [(header.named, place), (header.valued, place)])
        .collect()
}

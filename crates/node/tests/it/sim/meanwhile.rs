//! What sessions do while the disk works for the node: the interleavings that its threads bring about, at
//! every operation of the disk, and each time in the same way for the same seed.

use super::client::Session;
use super::life::Life;
use super::model::Model;
use super::sim_disk::Random;
use std::sync::{Arc, Mutex};
use warren_node::Node;

impl Life {
    /// Does something to the node. At any operation of the disk sessions may do what they like: the node
    /// has threads for what is done here, and holds no lock of a queue while the disk works.
    pub(crate) fn while_others_go_on<T>(&mut self, act: impl FnOnce(&Arc<Node>) -> T) -> Result<T, String> {
        let (node, watch) = (Arc::clone(&self.node), self.watch.clone());
        let husk = Self::new(&node, &watch, Model::default(), Random::default());
        let others = Arc::new(Mutex::new(std::mem::replace(self, husk)));
        let theirs = Arc::clone(&others);
        watch.set_meanwhile(Some(Box::new(move || theirs.lock().unwrap().meanwhile())));
        let done = act(&node);
        watch.set_meanwhile(None);
        *self = Arc::into_inner(others).unwrap().into_inner().unwrap();
        self.trouble.take().map_or(Ok(done), Err)
    }

    fn meanwhile(&mut self) {
        if self.trouble.is_some() || !self.random.chance(self.liveliness) {
            return;
        }
        let began = self.watch.count();
        self.is_meanwhile = true;
        let done = match self.random.below(20) {
            0..=4 => self.publish(began),
            5..=9 => {
                self.let_go(began);
                Ok(())
            }
            10..=18 => self.get(began),
            _ => self.change_something(began),
        };
        self.is_meanwhile = false;
        self.trouble = done.and_then(|()| self.collect(began)).err();
    }

    fn change_something(&mut self, began: usize) -> Result<(), String> {
        match self.random.below(7) {
            0 => return self.purge(began),
            1 => self.declare(began),
            2 => self.delete(began),
            3 => self.bind(began),
            4 if !self.is_calm => self.leave(began),
            5 => self.consume(),
            _ => self.cancel(began),
        }
        Ok(())
    }

    /// Everything is taken out of the node while it runs: no extent is left that nobody needs. A recovered
    /// node counts anew, so that only this one shows what it lost count of.
    pub(crate) fn empty(&mut self) -> Result<(), String> {
        let began = self.watch.count();
        let liveliness = std::mem::take(&mut self.liveliness);
        while !self.sessions.is_empty() {
            self.end_session(0, began);
            self.collect(began)?;
        }
        self.sessions.push(Session::enter(&self.node, "u"));
        let names: Vec<String> = self.model.now.queues.keys().cloned().collect();
        for name in names {
            self.take_all(&name, began)?;
        }
        // The first may still have something to flush or to rewrite.
        for _ in 0..3 {
            self.keep()?;
        }
        self.liveliness = liveliness;
        let left = self
            .watch
            .disk
            .files()
            .into_iter()
            .filter(|name| name.starts_with("extents/"));
        let left: Vec<String> = left.collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{left:?} are left in a node that was emptied: {:?}",
            self.node.usage()
        ))
    }

    fn take_all(&mut self, name: &str, began: usize) -> Result<(), String> {
        let session = &mut self.sessions[0];
        let mut all = Vec::new();
        while let Some(Some(came)) = session.get(name, true, true) {
            all.push(came);
        }
        self.came(all, began)?;
        let (id, _) = self.model.now.queues[name];
        match self.model.queue(id).copies.iter().find(|copy| copy.is_ready()) {
            Some(copy) => Err(format!("queue {name} is empty, and keeps {copy:?}")),
            None => Ok(()),
        }
    }
}

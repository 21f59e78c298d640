//! A simulated disk that notes, before each operation, up to where everything was durable.

use super::sim_disk::SimDisk;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use warren_node::Node;
use warren_store::disk::{Disk, File};

/// The disk of one life of a node.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) disk: SimDisk,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    node: OnceLock<Weak<Node>>,
    /// By operations recorded before: the durable position at the beginning of the next.
    durable: Mutex<Vec<u64>>,
    /// Called before each operation.
    meanwhile: Mutex<Option<Meanwhile>>,
}

/// What others do while the disk works.
pub(crate) type Meanwhile = Box<dyn FnMut() + Send>;

impl Watch {
    pub(crate) fn new(disk: SimDisk) -> Self {
        let shared = Arc::default();
        Self { disk, shared }
    }

    /// Whose durable position is noted from now on.
    pub(crate) fn is_of(&self, node: &Arc<Node>) {
        let _ = self.shared.node.set(Arc::downgrade(node));
    }

    /// Lets others do something before each operation, or no longer.
    pub(crate) fn set_meanwhile(&self, meanwhile: Option<Meanwhile>) {
        *self.shared.meanwhile.lock().unwrap() = meanwhile;
    }

    /// Operations so far.
    pub(crate) fn count(&self) -> usize {
        self.disk.recorded_count()
    }

    /// What was noted, with what is durable now behind it.
    pub(crate) fn durable(&self) -> Vec<u64> {
        let mut all = self.shared.durable.lock().unwrap().clone();
        all.push(self.now());
        all
    }

    fn now(&self) -> u64 {
        let node = self.shared.node.get().and_then(Weak::upgrade);
        node.map_or(0, |node| node.durable().0)
    }

    fn noted<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let meanwhile = self.shared.meanwhile.lock().unwrap().take();
        if let Some(mut meanwhile) = meanwhile {
            meanwhile();
            *self.shared.meanwhile.lock().unwrap() = Some(meanwhile);
        }
        let (count, durable) = (self.count(), self.now());
        let done = act();
        if self.count() > count {
            self.shared.durable.lock().unwrap().push(durable);
        }
        done
    }

    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let watch = self.clone();
        Arc::new(Watched { file, watch })
    }
}

impl Disk for Watch {
    fn create(&self, path: &str, space_bytes: u64) -> io::Result<Arc<dyn File>> {
        let file = self.noted(|| self.disk.create(path, space_bytes))?;
        Ok(self.file(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.disk.open(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.noted(|| self.disk.rename(from, to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.noted(|| self.disk.remove(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.noted(|| self.disk.create_folder(folder))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.noted(|| self.disk.sync_folder(folder))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

struct Watched {
    file: Arc<dyn File>,
    watch: Watch,
}

impl File for Watched {
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read(bytes, offset)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.watch.noted(|| self.file.write(bytes, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.watch.noted(|| self.file.sync())
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.watch.noted(|| self.file.truncate(size_bytes))
    }
}

//! The kernel's requests, answered from the state.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::faults::{SyncFate, WriteFate};
use super::state::{Kind, State};
use super::{Disk, Shared};

/// How long the kernel may believe what it was told: the broker is the only one that changes anything.
const BELIEVE: Duration = Duration::from_secs(1);

/// What `df` shows: room enough, in blocks of 4 KiB.
const BLOCKS: u64 = 16 << 20;

/// `FALLOC_FL_KEEP_SIZE`, and the flags that zero what is there.
const KEEP_SIZE: i32 = 1;
const ZEROING: i32 = 0x02 | 0x10;

pub(super) struct Server(pub(super) Disk);

impl Server {
    /// Works on the state, unless the power is off.
    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut shared = self.0.shared();
        if shared.dead {
            return Err(Errno::EIO);
        }
        work(&mut shared)
    }
}

fn attributes(state: &State, number: u64) -> Result<FileAttr, Errno> {
    let node = state.node(number)?;
    let (kind, size) = match &node.kind {
        Kind::File(content) => (FileType::RegularFile, content.length),
        Kind::Folder { .. } => (FileType::Directory, 0),
    };
    Ok(FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: node.modified,
        mtime: node.modified,
        ctime: node.modified,
        crtime: node.modified,
        kind,
        perm: (node.mode & 0o7777) as u16,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn entry(reply: ReplyEntry, outcome: Result<FileAttr, Errno>) {
    match outcome {
        Ok(attributes) => reply.entry(&BELIEVE, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(
            reply,
            self.with(|shared| {
                let number = shared.state.lookup(parent.0, name)?;
                attributes(&shared.state, number)
            }),
        );
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|shared| attributes(&shared.state, ino.0)) {
            Ok(attributes) => reply.attr(&BELIEVE, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let outcome = self.with(|shared| {
            if let Some(size) = size {
                shared.state.resize(ino.0, size)?;
            }
            if let (Some(mode), Some(node)) = (mode, shared.state.nodes.get_mut(&ino.0)) {
                node.mode = mode;
            }
            attributes(&shared.state, ino.0)
        });
        match outcome {
            Ok(attributes) => reply.attr(&BELIEVE, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        entry(
            reply,
            self.with(|shared| {
                let number = shared.state.make_folder(parent.0, name, mode)?;
                attributes(&shared.state, number)
            }),
        );
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.with(|shared| shared.state.remove(parent.0, name)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.with(|shared| shared.state.remove(parent.0, name)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let outcome = self.with(|shared| {
            if flags.contains(RenameFlags::RENAME_EXCHANGE) {
                return Err(Errno::EINVAL);
            }
            let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
            shared.state.rename((parent.0, name), (to.0, new), replace)
        });
        empty(reply, outcome);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.with(|shared| shared.meter.open().then_some(()).ok_or(Errno::EMFILE)) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let outcome = self.with(|shared| {
            if !shared.meter.open() {
                return Err(Errno::EMFILE);
            }
            let number = shared.state.create(parent.0, name, mode)?;
            attributes(&shared.state, number)
        });
        match outcome {
            Ok(attributes) => {
                reply.created(
                    &BELIEVE,
                    &attributes,
                    Generation(0),
                    FileHandle(0),
                    FopenFlags::empty(),
                );
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.with(|shared| shared.state.read(ino.0, offset, size as usize)) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let outcome = self.with(|shared| {
            let node = shared.state.node(ino.0)?;
            // A log that makes a new file writes zeros and a header; what it writes behind that are records.
            let records = offset > 0 && data.iter().any(|byte| *byte != 0);
            let has_space = matches!(&node.kind, Kind::File(content) if content.has_space(offset, data));
            let settled = node.of_log && records && has_space;
            let taken = match shared.meter.write(settled) {
                WriteFate::Works => data,
                WriteFate::Fails => return Err(Errno::EIO),
                WriteFate::Interrupted => return Err(Errno::EINTR),
                WriteFate::Short => data.get(..data.len().div_ceil(2)).unwrap_or_default(),
            };
            shared.state.write(ino.0, offset, taken)?;
            Ok(taken.len() as u32)
        });
        match outcome {
            Ok(taken) => reply.written(taken),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file saves nothing.
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        // One lock for all of it: a cut in between would never answer what is held behind it.
        let mut shared = self.0.shared();
        if shared.dead {
            return reply.error(Errno::EIO);
        }
        let outcome = match shared.meter.sync() {
            SyncFate::Works => shared.state.sync(ino.0),
            SyncFate::Fails => {
                shared.state.sync_fails(ino.0);
                Err(Errno::EIO)
            }
            SyncFate::Hangs => return shared.held.push(reply),
        };
        drop(shared);
        empty(reply, outcome);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        match self.with(|shared| shared.state.list(ino.0)) {
            Err(error) => reply.error(error),
            Ok(entries) => {
                for (place, (name, number, is_folder)) in (1..).zip(entries).skip(offset as usize) {
                    let kind = if is_folder {
                        FileType::Directory
                    } else {
                        FileType::RegularFile
                    };
                    if reply.add(INodeNo(number), place, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
        }
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(
            reply,
            self.with(|shared| {
                shared.state.sync_folder(ino.0);
                Ok(())
            }),
        );
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS / 2, BLOCKS / 2, 1 << 20, 1 << 19, 4096, 255, 4096);
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let outcome = self.with(|shared| {
            let end = offset + length;
            let now = shared.state.content(ino.0)?.length;
            if mode & ZEROING != 0 {
                let zeros = vec![0; now.min(end).saturating_sub(offset) as usize];
                shared.state.write(ino.0, offset, &zeros)?;
            }
            if mode & KEEP_SIZE == 0 && end > now {
                shared.state.resize(ino.0, end)?;
            }
            Ok(())
        });
        empty(reply, outcome);
    }
}

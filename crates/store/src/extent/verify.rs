//! Checking an extent as a whole, for people.

use super::BESIDE;
use super::block::Reading;
use super::open::Open;
use super::read::Extents;
use crate::damage::Damage;
use std::io;

/// What checking an extent found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Messages that are whole.
    pub messages: u64,
    /// Messages that are known to be lost.
    pub damaged: u64,
    /// The file's length.
    pub bytes: u64,
}

impl Extents {
    /// Reads all of a durable extent, checks everything in it and reports what is wrong.
    ///
    /// # Errors
    /// The file cannot be read at all, or is of a newer format version.
    pub fn verify(&self, number: u64, report: &mut dyn FnMut(Damage)) -> io::Result<Checked> {
        // Not through the open files: this looks at the disk, and puts no other file out.
        let open = Open::load(&*self.disk, true, number)?;
        let mut checked = Checked {
            bytes: open.size,
            ..Checked::default()
        };
        for damage in &open.damage {
            checked.damaged += damage.messages_lost.unwrap_or(0);
            report(damage.clone());
        }
        let mut buffer = Vec::new();
        for section in open.sections() {
            let mut damaged = Vec::new();
            let mut harmless = Vec::new();
            let reading = Reading {
                open: &open,
                section: &section,
                from: 0,
                wanted: &mut |_| true,
                each: &mut |_| {
                    checked.messages += u64::from(section.owner & BESIDE == 0);
                    true
                },
                damaged: &mut |_, damage| damaged.push(damage),
                harmless: &mut |damage| harmless.push(damage),
            };
            reading.run(&mut buffer)?;
            checked.damaged += damaged.len() as u64;
            harmless.into_iter().chain(damaged).for_each(&mut *report);
        }
        Ok(checked)
    }
}

//! What a start finds: a data folder whose files hold anything.
//!
//! The input is a script. Its first byte picks a folder of a small history that is the same each time; the
//! rest damages its files, or puts others there, or tells lies in them under checksums that fit. Beyond not
//! crashing, hanging or taking memory without bound: a folder that was damaged gives nothing but messages
//! that were written, each once, in their order, out of the queue that they were put into. What stands under
//! a checksum that fits is believed, so a folder that lies is only opened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

#[path = "store_recover/damage.rs"]
mod damage;
#[path = "store_recover/history.rs"]
mod history;
#[path = "store_recover/lie.rs"]
mod lie;
#[path = "../../crates/testkit/src/sim_disk.rs"]
#[allow(dead_code)] // tests of other crates use the rest
mod sim_disk;

use damage::Script;
use history::{History, drain, open};

static HISTORY: LazyLock<History> = LazyLock::new(History::new);

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let folders = &HISTORY.folders;
    let disk = folders[usize::from(script.u8()) % folders.len()].kill();
    let mut lies = false;
    while !script.is_empty() {
        lies |= damage::step(&disk, &mut script);
    }
    // That it cannot be opened is an answer, too.
    let Ok(opened) = open(Arc::new(disk)) else { return };
    if lies {
        return;
    }
    for (queue, came) in drain(&opened.node) {
        HISTORY.check(&queue, &came);
    }
});

//! What the floor of storage does with a queue: messages go to extents and come back.

use super::leaving::has_leaving;
use super::local::{Standing, State};
use super::{Browser, LiveQueue, Peeking};
use crate::mailbox::{Mailbox, Notice, Touched};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use warren_broker::message::Message;
use warren_broker::queue::{
    Command, Fetch, Look, Note, NotesFetch, Page, Queue, Range, Released, Scope, SeqSet, Stretch,
};
use warren_store::Position;

/// Delayed messages that are read at a time to be cancelled.
const CANCELLED_MAX: usize = 256;

/// Pages that are told under the lock at a time.
const PAGES_MAX: usize = 8;

impl LiveQueue {
    /// Messages were read: hands out what can be. See [`Queue::fetched`].
    pub(crate) fn fetched(
        self: &Arc<Self>,
        fetch: &Fetch,
        found: Vec<(u64, Message)>,
        lost: &[u64],
        touched: &mut Touched,
    ) {
        self.take_in(touched, |machine| {
            machine.fetched(fetch.lane, fetch.ticket, found, lost);
        });
    }

    /// Pages of notes were read: what is due happens. See [`Queue::fetched_notes`].
    pub(crate) fn fetched_notes(
        self: &Arc<Self>,
        fetch: &NotesFetch,
        found: &[(u64, Vec<Note>)],
        lost: &[u64],
        touched: &mut Touched,
    ) {
        self.take_in(touched, |machine| machine.fetched_notes(fetch, found, lost));
    }

    /// Something was read.
    fn take_in(self: &Arc<Self>, touched: &mut Touched, take: impl FnOnce(&mut Queue)) {
        let mut state = self.lock();
        if self.is_gone() {
            return;
        }
        let before = state.machine.bytes();
        take(&mut state.machine);
        self.begin(&mut state);
        self.dispatch(&mut state, touched);
        self.end(&mut state, touched);
        self.settle_accounts(&mut state, before);
        let waiting = std::mem::take(&mut state.waiting);
        let is_leaving = has_leaving(&state) || self.is_deleted();
        let browsers = if state.has_news() {
            state.news()
        } else {
            Vec::new()
        };
        drop(state);
        browsers.iter().for_each(|browser| self.browse(browser, touched));
        tell_fetched(waiting);
        if is_leaving {
            self.move_on(touched);
        }
    }

    /// See [`Queue::unstored`].
    pub(crate) fn unstored(
        &self,
        durable: bool,
        from: u64,
        messages_max: usize,
        bytes_max: usize,
    ) -> Vec<(u64, Message)> {
        let state = self.lock();
        state.machine.unstored(durable, from, messages_max, bytes_max)
    }

    /// Bytes of memory that could be given free by writing messages to an extent.
    pub(crate) fn unstored_bytes(&self) -> usize {
        self.lock().machine.unstored_bytes()
    }

    /// Messages stand in an extent now. See [`Queue::stored`].
    pub(crate) fn stored(self: &Arc<Self>, durable: bool, extent: u64, seqs: &[u64], keeps: bool) {
        let mut state = self.lock();
        if self.is_gone() {
            drop(state);
            return self.release(extent, seqs.len() as u64);
        }
        let before = state.machine.bytes();
        let ahead_bytes = if keeps { self.backing.ahead_bytes() } else { 0 };
        let keep_bytes = state.machine.keep_bytes(ahead_bytes);
        state.machine.stored(durable, extent, seqs, keep_bytes);
        self.settle_accounts(&mut state, before);
    }

    /// Messages of a stretch were copied to another extent. See [`Queue::moved`].
    pub(crate) fn moved(self: &Arc<Self>, durable: bool, from_extent: u64, copied: Stretch) {
        let mut state = self.lock();
        if self.is_gone() {
            drop(state);
            return self.release(copied.extent, copied.count);
        }
        let before = state.machine.bytes();
        state.machine.moved(durable, from_extent, copied);
        self.settle_accounts(&mut state, before);
    }

    /// Messages that were stored or moved have notes in these pages. See [`Queue::paged`].
    pub(crate) fn paged(&self, durable: bool, pages: &[(Page, Vec<Note>)]) {
        for page in pages.chunks(PAGES_MAX) {
            self.lock().machine.paged(durable, page);
        }
    }

    /// See [`Queue::pages_in`].
    pub(crate) fn pages_in(&self, durable: bool, extent: u64) -> Vec<u64> {
        self.lock().machine.pages_in(durable, extent)
    }

    /// Whether anything of the queue in an extent is needed.
    pub(crate) fn has_extent(&self, durable: bool, extent: u64) -> bool {
        self.lock().machine.chain(durable).has(extent)
    }

    fn release(&self, extent: u64, count: u64) {
        if let Some(storage) = &self.backing.storage {
            storage.release(&[Released { extent, count }]);
        }
    }

    /// Drops what is in memory and in an extent, but for so much as is read ahead of consumers.
    pub(crate) fn evict(self: &Arc<Self>) {
        let mut state = self.lock();
        let before = state.machine.bytes();
        let keep_bytes = state.machine.keep_bytes(self.backing.ahead_bytes());
        state.machine.evict(keep_bytes);
        self.settle_accounts(&mut state, before);
    }

    /// What a checkpoint has to know.
    pub(crate) fn standing(&self) -> Standing {
        let mut state = self.lock();
        let State {
            machine,
            marks,
            reserved,
            ..
        } = &mut *state;
        // Without a mark nothing was logged: transient messages need not be looked through.
        let first = (!marks.is_empty()).then(|| machine.first_unstored()).flatten();
        // The last mark at or below the first message is where its record may begin.
        while marks
            .get(1)
            .is_some_and(|(_, seq)| first.is_none_or(|first| *seq <= first))
        {
            marks.pop_front();
        }
        let log_floor = first.and_then(|_| marks.front().map(|(position, _)| *position));
        if first.is_none() {
            marks.clear();
        }
        Standing {
            summary: machine.summary(),
            reserved: *reserved,
            log_floor,
        }
    }

    /// Gives back memory that it does not need while nobody uses it.
    pub(crate) fn unload(&self) {
        let mut state = self.lock();
        state.machine.unload();
        state.facts = Vec::new();
        if state.marks.is_empty() {
            state.marks = VecDeque::new();
        }
        if state.machine.totals().consumers == 0 {
            state.subscribers = Vec::new();
        }
    }

    /// Where the log is needed from for this queue.
    pub(crate) fn log_floor(&self) -> Option<Position> {
        let state = self.lock();
        if state.marks.is_empty() {
            return None;
        }
        let first = state.machine.first_unstored()?;
        let at = state.marks.partition_point(|(_, seq)| *seq <= first);
        let mark = state.marks.get(at.saturating_sub(1));
        mark.map(|(position, _)| *position)
    }

    /// The stretches that stand in some extents, with the numbers that are live in each, for rewriting.
    pub(crate) fn stretches_in(&self, durable: bool, extents: &[u64]) -> Vec<(Stretch, Vec<Range>)> {
        let state = self.lock();
        let chain = state.machine.chain(durable);
        let stretches = chain.stretches();
        let wanted = stretches.filter(|stretch| extents.contains(&stretch.extent));
        wanted
            .map(|stretch| {
                let live = chain.live().head(stretch.range(), u64::MAX, usize::MAX);
                (*stretch, live)
            })
            .collect()
    }

    /// The number that the next message gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.lock().machine.next_seq()
    }

    /// Whether the stretch that was to be read is still where it was.
    pub(crate) fn has_stretch(&self, durable: bool, stretch: &Stretch) -> bool {
        let state = self.lock();
        let mut stretches = state.machine.chain(durable).stretches();
        stretches.any(|other| other.extent == stretch.extent && other.first <= stretch.first)
    }
}

impl State {
    /// Whether something is there that browsers were not told of: it came, or is not delayed any more.
    pub(super) fn has_news(&self) -> bool {
        let (next, delayed) = self.told;
        !self.browsers.is_empty()
            && (self.machine.next_seq() > next || self.machine.totals().delayed < delayed)
    }

    /// Those who are to be told.
    pub(super) fn news(&mut self) -> Vec<Arc<Browser>> {
        if !self.browsers.is_empty() {
            self.told = (self.machine.next_seq(), self.machine.totals().delayed);
        }
        self.browsers.clone()
    }
}

/// What browsers do with a queue.
impl LiveQueue {
    /// A browser looks, and again whenever something comes.
    pub(crate) fn add_browser(self: &Arc<Self>, browser: &Arc<Browser>) -> bool {
        let mut state = self.lock();
        if self.is_deleted() {
            return false;
        }
        state.browsers.push(Arc::clone(browser));
        true
    }

    /// A browser is over.
    pub(crate) fn remove_browser(&self, browser: &Arc<Browser>) {
        browser.end();
        self.lock().browsers.retain(|other| !Arc::ptr_eq(other, browser));
    }

    /// A browser looks: on the thread that reads or, where nothing has to be read, here and now.
    pub(crate) fn browse(self: &Arc<Self>, browser: &Arc<Browser>, touched: &mut Touched) {
        if !browser.is_to_look() {
            return;
        }
        match &self.backing.storage {
            Some(storage) => storage.ask_browser(Arc::clone(browser)),
            None => browser.run(&|_, _| Vec::new(), touched),
        }
    }

    /// Somebody peeks: on the thread that reads or, where nothing has to be read, here and now.
    pub(crate) fn peek(self: &Arc<Self>, peeking: Peeking) {
        if let Some(storage) = &self.backing.storage {
            return storage.ask_peek(peeking);
        }
        let mut more = Some(peeking);
        while let Some(peeking) = more {
            more = peeking.run(&|_, _| Vec::new());
        }
    }

    /// See [`Queue::look`].
    pub(crate) fn look(self: &Arc<Self>, from: u64, max: usize, scope: Scope) -> Vec<Look> {
        let mut state = self.lock();
        let before = state.machine.bytes();
        self.begin(&mut state);
        self.settle_accounts(&mut state, before);
        state.machine.look(from, max, scope)
    }

    /// See [`Queue::places_of`].
    pub(crate) fn places_of(&self, seqs: &SeqSet) -> Vec<Fetch> {
        if seqs.is_empty() {
            return Vec::new();
        }
        self.lock().machine.places_of(seqs)
    }

    /// Messages that are delayed, from a number on: number and when each is due, in milliseconds since 1970,
    /// if that is known without reading it.
    pub fn delayed(&self, from: u64, max: usize) -> Vec<(u64, Option<u64>)> {
        self.lock().machine.delayed(from, max)
    }

    /// Messages that are delayed are not wanted any more: whoever calls waits for the disk, where they are to
    /// be read first. Answers the log position that an answer waits for.
    ///
    /// # Errors
    /// The system lacks what it needs to read them: those that are not in memory are still delayed.
    pub fn cancel_delayed(self: &Arc<Self>, seqs: &[u64], touched: &mut Touched) -> io::Result<Position> {
        let mut position = Position::default();
        for seqs in seqs.chunks(CANCELLED_MAX) {
            let places = self.lock().machine.places_of_delayed(seqs);
            if let Some(storage) = &self.backing.storage {
                for place in places {
                    storage.serve(self, &place)?;
                }
            }
            let cancelled = self.work(&[Command::Cancel(seqs)], Position::default(), touched);
            position = position.max(cancelled.all);
        }
        Ok(position)
    }
}

fn tell_fetched(waiting: Vec<Arc<Mailbox>>) {
    for mailbox in waiting {
        mailbox.notify(Notice::Fetched);
    }
}

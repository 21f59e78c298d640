//! A queue without cleverness, and the two of them side by side.
//!
//! [`Model`](naive::Model) keeps its messages in one plain list and looks through all of it for every answer;
//! it states each rule once. [`Trial`] does the same things to a [`Queue`] and to the model, feeds all facts
//! to replicas that know nothing else, and panics where they differ. The property tests and the fuzz target
//! drive the same trial, which is why everything of the crate comes in by way of `super`.
//!
//! ```text
//!   step      what is done, made of any three bytes
//!   naive     the model: messages, times, limits        line     whose turn it is
//!                                                        keys     groups, duplicates, last values
//!   trial     both, in the order in which a node works   extents  what is written, read and moved
//!                                                        browse   what is looked at
//!                                                        emptying how a queue that is deleted ends
//!                                                        compare  what has to be the same
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod browse;
mod compare;
mod emptying;
mod extents;
mod keys;
mod line;
mod naive;
mod step;
mod trial;

#[cfg(test)]
pub(crate) use extents::pages_for;
pub(crate) use step::Step;
pub(crate) use trial::Trial;

// For the files of this folder.
use super::{
    AnnotationsWriter, Backoff, Command, ConsumerKey, DeadLetters, Deduplication, Delivery, Fact, Fetch,
    GroupBy, HeaderReader, Leaving, Message, Note, Outlet, Overflow, Page, Parts, Queue, Reason, Retried,
    Retry, Rules, Scope, SeqSet, Standing, Stretch, Subscription, Summary, Take, Ticket, Totals, Value,
    notes_of, pages_of,
};

//! What survives of a catalog: it comes again of what was logged, and of a checkpoint with what was logged
//! later.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::codec::{decode, encode};
use super::{Binding, Catalog, Change, Endpoint, PolicyScope, VhostContent};

/// What a broker would have kept, and would start again with.
#[derive(Debug, Default)]
pub(super) struct Kept {
    catalog: Catalog,
}

impl Kept {
    /// Reads what was logged, as a broker that starts does.
    pub(super) fn log(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.catalog.replay(written_and_read(change));
        }
    }

    /// Forgets the log for a checkpoint of the real catalog.
    pub(super) fn checkpoint(&mut self, real: &Catalog) {
        self.catalog = Catalog::default();
        self.log(real.durable_changes());
        self.catalog.raise_last_id(real.last_id());
    }

    pub(super) fn compare(&self, real: &Catalog) {
        assert_eq!(
            lines(&self.catalog, |_| true),
            lines(real, |line| line.is_durable())
        );
        assert!(self.catalog.last_id() <= real.last_id());
    }
}

fn written_and_read(change: Change) -> Change {
    let mut bytes = Vec::new();
    encode(&change, &mut bytes);
    let read = decode(&bytes).expect("own writing");
    assert_eq!(read, change);
    read
}

/// One thing that exists.
enum Line<'a> {
    Exchange(&'a super::Exchange),
    Queue(&'a super::Queue),
    Binding(&'a VhostContent, &'a Binding),
}

impl Line<'_> {
    fn is_durable(&self) -> bool {
        match self {
            Line::Exchange(exchange) => exchange.durable,
            Line::Queue(queue) => queue.durable,
            Line::Binding(content, binding) => {
                let source = content.exchange(binding.source.as_str()).unwrap();
                let destination = match &binding.destination {
                    Endpoint::Queue(name) => content.queue(name.as_str()).unwrap().durable,
                    Endpoint::Exchange(name) => content.exchange(name.as_str()).unwrap().durable,
                };
                source.durable && destination
            }
        }
    }
}

/// What exists, as lines in an order of their own.
fn lines(catalog: &Catalog, wanted: impl Fn(&Line<'_>) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for user in catalog.users() {
        lines.push(format!("{} {:?}", user.name, user.tags));
        for (vhost, permission) in &user.permissions {
            lines.push(format!("{} in {vhost}: {permission:?}", user.name));
        }
        for (vhost, topics) in &user.topic_permissions {
            lines.push(format!("{} in {vhost}: {topics:?}", user.name));
        }
    }
    for (name, value) in catalog.global_parameters() {
        lines.push(format!("{name}: {value:?}"));
    }
    for content in catalog.vhosts() {
        for parameter in content.parameters() {
            lines.push(format!("{} {parameter:?}", content.properties.name));
        }
        let vhost = &content.properties;
        lines.push(format!("{vhost:?}"));
        for scope in [PolicyScope::Users, PolicyScope::Operators] {
            let policies = content.policies(scope);
            lines.extend(policies.map(|policy| format!("{} {scope:?} {policy:?}", vhost.name)));
        }
        let mut add = |line: &Line<'_>, text: String| {
            if wanted(line) {
                lines.push(format!("{} {text}", vhost.name));
            }
        };
        for exchange in content.exchanges() {
            add(&Line::Exchange(exchange), format!("{exchange:?}"));
        }
        for queue in content.queues() {
            add(&Line::Queue(queue), format!("{queue:?}"));
        }
        for binding in content.bindings().iter() {
            add(&Line::Binding(content, &binding), format!("{binding:?}"));
        }
    }
    lines.sort_unstable();
    lines
}

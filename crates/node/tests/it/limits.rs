//! Limits of virtual hosts and users: counts are exact whoever comes at the same time, and fall again in
//! whatever way something ends.

use crate::broker::{client, declare_queue, durable_queue, node, vhost};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use warren_broker::access::{Permission, User};
use warren_broker::catalog::Vhost;
use warren_broker::limits::{Limited, MAX_CHANNELS, MAX_CONNECTIONS, MAX_QUEUES};
use warren_broker::name::UserName;
use warren_broker::refusal::Refusal;
use warren_broker::value::{Table, Value};
use warren_node::{Batch, Client, LoginRefusal, Node, Place, TooManyChannels, Touched, admin};

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// A user who may do anything, and is not connected.
fn put_user(node: &Arc<Node>, name: &str) {
    let mut account = User::new(user(name));
    let permission = Permission::new(".*", ".*", ".*").unwrap();
    account.permissions.insert(vhost(), permission);
    node.put_user(account);
}

fn limit_user(node: &Arc<Node>, name: &str, limit: &str, number: i64) {
    let set = |user: &mut User| user.limits.set(limit, &Value::I64(number), Limited::User);
    node.change_user(&user(name), set).unwrap().unwrap();
}

fn limit_vhost(node: &Arc<Node>, limit: &str, number: i64) {
    node.change_vhost_limits(&vhost(), |limits| {
        limits.set(limit, &Value::I64(number), Limited::Vhost).unwrap();
        Ok::<(), Infallible>(())
    })
    .unwrap()
    .unwrap();
}

fn enter(node: &Arc<Node>, name: &str) -> Result<Client, LoginRefusal> {
    node.enter(Arc::new(User::new(user(name))), "/", node.new_mailbox())
}

fn leave(client: &Client) {
    client.leave(&mut Batch::default(), &mut Touched::default());
}

/// Lets threads do something at the same moment, and answers what each of them got.
fn at_once<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let run = |index| {
            let (barrier, act) = (&barrier, &act);
            scope.spawn(move || {
                barrier.wait();
                act(index)
            })
        };
        let running: Vec<_> = (0..count).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn as_many_connections_get_in_as_the_limits_say_however_many_come_at_once() {
    const THREADS: usize = 8;
    for round in 0..200 {
        let node = node();
        for name in ["first", "second"] {
            put_user(&node, name);
        }
        // The first may not come in at all, and is in nobody's way; of the others five, or four.
        limit_user(&node, "first", MAX_CONNECTIONS, 0);
        limit_user(&node, "second", MAX_CONNECTIONS, 5);
        let of_vhost = if round % 2 == 0 { 4 } else { 6 };
        limit_vhost(&node, MAX_CONNECTIONS, of_vhost);
        let name = |index| if index % 4 == 0 { "first" } else { "second" };
        let entered = at_once(THREADS, |index| enter(&node, name(index)));
        let clients = entered.iter().filter(|entered| entered.is_ok()).count();
        assert_eq!(
            clients,
            if round % 2 == 0 { 4 } else { 5 },
            "round {round}: {entered:?}"
        );
        assert_eq!(node.session_count(), clients);
        entered.iter().flatten().for_each(leave);
        drop(entered);
        let again: Vec<Client> = (0..clients).map(|_| enter(&node, "second").unwrap()).collect();
        assert!(enter(&node, "second").is_err());
        again.iter().for_each(leave);
    }
}

#[test]
fn who_is_refused_is_in_nobodys_way_not_even_for_a_moment() {
    const TIMES: usize = 200_000;
    let node = node();
    for name in ["never", "alone"] {
        put_user(&node, name);
    }
    limit_user(&node, "never", MAX_CONNECTIONS, 0);
    limit_vhost(&node, MAX_CONNECTIONS, 1);
    let is_over = AtomicBool::new(false);
    let entered = at_once(3, |index| {
        if index < 2 {
            // As long as the other tries.
            let tries = std::iter::repeat_with(|| enter(&node, "never"));
            let tries = tries.take_while(|_| !is_over.load(Ordering::Acquire));
            return tries.filter(Result::is_ok).count();
        }
        let entered = (0..TIMES).filter_map(|_| enter(&node, "alone").ok());
        let entered = entered.inspect(leave).count();
        is_over.store(true, Ordering::Release);
        entered
    });
    assert_eq!(entered, [0, 0, TIMES]);
}

#[test]
fn as_many_channels_open_as_the_limit_says_while_others_close() {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 5000;
    let node = node();
    put_user(&node, "u");
    limit_user(&node, "u", MAX_CHANNELS, 3);
    let open = AtomicUsize::new(0);
    let refused = at_once(CLIENTS, |_| {
        let mut client = enter(&node, "u").unwrap();
        let mut refused = 0;
        for _ in 0..ROUNDS {
            match client.open_channel() {
                Ok(place) => {
                    let others = open.fetch_add(1, Ordering::SeqCst);
                    assert!(others < 3, "{others} beside this one");
                    open.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                }
                // There is one place too few for all of them.
                Err(_) => refused += 1,
            }
        }
        leave(&client);
        refused
    });
    assert!(refused.iter().all(|count| *count < ROUNDS), "{refused:?}");
    let mut client = enter(&node, "u").unwrap();
    let places: Vec<Place> = (0..3).map(|_| client.open_channel().unwrap()).collect();
    let (user, most) = (user("u"), 3);
    assert_eq!(client.open_channel().unwrap_err(), TooManyChannels { user, most });
    drop(places);
    leave(&client);
}

#[test]
fn as_many_queues_are_declared_as_the_limit_says() {
    const THREADS: usize = 6;
    for _ in 0..50 {
        let node = node();
        put_user(&node, "u");
        limit_vhost(&node, MAX_QUEUES, 4);
        let declared = at_once(THREADS, |index| {
            let mut client = enter(&node, "u").unwrap();
            let asked = durable_queue(&format!("q{index}"), Table::new());
            let declared = client.declare_queue(&asked, &mut Touched::default());
            leave(&client);
            declared
        });
        let refusals: Vec<Refusal> = declared.into_iter().filter_map(Result::err).collect();
        assert_eq!(refusals.len(), THREADS - 4);
        for refusal in refusals {
            assert!(
                matches!(refusal, Refusal::TooManyQueues { most: 4, .. }),
                "{refusal}"
            );
        }
    }
}

#[test]
fn a_client_that_is_dropped_without_a_farewell_takes_no_place() {
    let node = node();
    put_user(&node, "u");
    limit_user(&node, "u", MAX_CONNECTIONS, 1);
    let first = enter(&node, "u").unwrap();
    let (name, most) = (user("u"), 1);
    assert_eq!(enter(&node, "u").unwrap_err(), LoginRefusal::UserFull(name, most));
    drop(first);
    drop(enter(&node, "u").unwrap());
}

#[test]
fn a_place_outlives_the_session_for_as_long_as_it_is_kept() {
    let node = node();
    put_user(&node, "u");
    limit_vhost(&node, MAX_CONNECTIONS, 1);
    let first = enter(&node, "u").unwrap();
    leave(&first);
    let place = first.into_place();
    let refused = enter(&node, "u").unwrap_err();
    assert_eq!(refused, LoginRefusal::VhostFull(vhost(), user("u"), 1));
    drop(place);
    leave(&enter(&node, "u").unwrap());
}

#[test]
fn what_is_made_anew_has_all_its_places() {
    let node = node();
    put_user(&node, "u");
    let old = enter(&node, "u").unwrap();
    assert!(node.delete_vhost(&vhost()));
    node.put_vhost(Vhost::named(vhost()));
    let permission = Permission::new(".*", ".*", ".*").unwrap();
    node.put_permission(&user("u"), &vhost(), permission).unwrap();
    limit_vhost(&node, MAX_CONNECTIONS, 1);
    let first = enter(&node, "u").unwrap();
    assert!(enter(&node, "u").is_err());
    // The one that is about to be closed gives back what was the other virtual host's.
    leave(&old);
    drop(old);
    assert!(enter(&node, "u").is_err());
    assert!(node.delete_user(&user("u")));
    limit_vhost(&node, MAX_CONNECTIONS, 2);
    put_user(&node, "u");
    limit_user(&node, "u", MAX_CONNECTIONS, 1);
    let second = enter(&node, "u").unwrap();
    leave(&first);
    drop(first);
    let refused = enter(&node, "u").unwrap_err();
    assert_eq!(refused, LoginRefusal::UserFull(user("u"), 1));
    leave(&second);
}

#[test]
fn what_an_operator_changes_of_a_user_leaves_the_count_as_it_is() {
    let node = node();
    put_user(&node, "u");
    let first = enter(&node, "u").unwrap();
    node.change_user(&user("u"), |user| user.tags = vec!["monitoring".into()])
        .unwrap();
    limit_user(&node, "u", MAX_CONNECTIONS, 1);
    assert!(enter(&node, "u").is_err());
    leave(&first);
    drop(first);
    leave(&enter(&node, "u").unwrap());
}

#[test]
fn an_operator_declares_no_more_queues_than_allowed_either() {
    let node = node();
    let mut client = client(&node, "u");
    limit_vhost(&node, MAX_QUEUES, 1);
    declare_queue(&mut client, "q");
    let refused = node
        .put_queue(&vhost(), &durable_queue("p", Table::new()))
        .unwrap_err();
    assert!(
        matches!(refused, admin::Error::Refused(Refusal::TooManyQueues { .. })),
        "{refused}"
    );
    assert_eq!(
        refused.to_string(),
        "cannot declare queue 'p': queue limit in vhost '/' (1) is reached"
    );
    assert_eq!(
        node.put_queue(&vhost(), &durable_queue("q", Table::new())),
        Ok(())
    );
}

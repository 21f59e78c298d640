//! The transcripts of `testdata/transcripts`, one test a file, held with the session machine; and, in
//! `real`, with the broker that `WARREN_ORACLE` names.

use std::path::PathBuf;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "testdata", "transcripts"]
        .iter()
        .collect()
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.txt"))
}

macro_rules! transcripts {
    ($($name:ident)* ; awaited: $($awaited:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name),)* $(stringify!($awaited)),*];

        $(
            #[test]
            fn $name() {
                assert!(warren_testkit::transcript::check(&path(stringify!($name))) > 0);
            }
        )*

        /// How we know that the transcripts are right.
        mod real {
            transcripts!(@real $($name)* $($awaited)*);
        }
    };
    (@real $($name:ident)*) => {
        $(
            #[test]
            #[ignore = "needs a RabbitMQ at WARREN_ORACLE"]
            fn $name() {
                warren_testkit::transcript::check_oracle(&super::path(stringify!($name)));
            }
        )*
    };
}

transcripts! {
    aliases
    arguments
    bindings
    browse
    channels
    consume
    content
    dead_letter_routes
    dead_letters
    deduplication
    delayed
    delays
    ends
    exchanges
    expiry
    frames
    handshake
    hashes
    interceptors
    keys
    histories
    leases
    limits
    permissions
    policies
    priorities
    publish
    queues
    quorum
    quotas
    replies
    retries
    settle
    single_active
    time
    transactions
    triggers
    ; awaited:
}

#[test]
fn every_file_is_a_test() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(files, names);
}

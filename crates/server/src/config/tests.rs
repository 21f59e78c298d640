//! The configuration as a whole: sources, what wins over what, and the words of its errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;

use super::model::{DiskLimit, Watermark};
use super::value::{Endpoint, Level, Mechanism};
use super::*;

fn no_environment(_: &str) -> Option<OsString> {
    None
}

/// Loads a file with this text and these `--set` arguments, and the folder's path left out of messages.
fn load_text(text: &str, arguments: &[&str]) -> Result<Config, String> {
    load_all(text, &no_environment, arguments)
}

fn load_all(text: &str, environment: Environment<'_>, arguments: &[&str]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("warren.conf");
    std::fs::write(&path, text).unwrap();
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let shown = format!("{}/", dir.path().display());
    load(Some(&path), environment, &arguments).map_err(|errors| errors.to_string().replace(&shown, ""))
}

fn loaded(text: &str) -> Config {
    load_text(text, &[]).unwrap()
}

fn refused(text: &str) -> String {
    load_text(text, &[]).unwrap_err()
}

fn at(text: &str) -> Endpoint {
    Endpoint::read(text).unwrap()
}

fn named(listeners: &[(&str, &str)]) -> BTreeMap<String, Endpoint> {
    listeners
        .iter()
        .map(|(name, text)| (name.to_string(), at(text)))
        .collect()
}

#[test]
fn nothing_configured_is_the_default() {
    assert_eq!(load(None, &no_environment, &[]).unwrap(), Config::default());
    assert_eq!(loaded("# nothing\n"), Config::default());
}

#[test]
fn a_file_of_rabbitmq_is_understood() {
    let config = loaded(
        "listeners.tcp.default = 5673\nlisteners.tcp.local = ::1:5674\nheartbeat = 30\nframe_max = 128KB\n\
         connection_max = infinity\nauth_mechanisms.1 = AMQPLAIN\ndefault_user = admin\n\
         default_pass = 'x # y'\ndefault_user_tags.administrator = true\n\
         default_permissions.read = ^a # only these\nloopback_users = none\n\
         log.console.level = warning\nvm_memory_high_watermark.absolute = 2GB\n",
    );
    assert_eq!(
        config.listeners.tcp(),
        named(&[("default", "5673"), ("local", "[::1]:5674")])
    );
    assert_eq!(config.limits.heartbeat_s, 30);
    assert_eq!(config.limits.frame_max_bytes, 131_072);
    assert_eq!(config.limits.connection_max, None);
    assert_eq!(config.auth.mechanisms(), [Mechanism::AmqPlain]);
    assert_eq!(config.defaults.user, "admin");
    assert_eq!(config.defaults.password.reveal(), "x # y");
    assert!(config.defaults.user_tags().contains("administrator"));
    assert_eq!(config.defaults.read, "^a");
    assert!(config.auth.loopback_users.is_empty());
    assert_eq!(config.log.console_level(), Level::Warning);
    assert_eq!(config.log.file_level(), Level::Info);
    assert_eq!(config.memory.high_watermark, Watermark::Absolute(2_000_000_000));
}

#[test]
fn the_last_of_a_repeated_key_wins() {
    assert_eq!(loaded("heartbeat = 1\nheartbeat = 2\n").limits.heartbeat_s, 2);
    assert_eq!(
        loaded("connection_max = 1\nmax_connections = 2\n")
            .limits
            .connection_max,
        Some(2)
    );
}

#[test]
fn arguments_win_over_the_environment_and_that_over_the_file() {
    let environment = |name: &str| match name {
        "RABBITMQ_DEFAULT_USER" => Some(OsString::from("from-env")),
        "RABBITMQ_DEFAULT_PASS" => Some(OsString::from("secret")),
        "RABBITMQ_DEFAULT_VHOST" => Some(OsString::new()),
        _ => None,
    };
    let file = "default_user = from-file\ndefault_vhost = from-file\nheartbeat = 5\n";
    let config = load_all(file, &environment, &[]).unwrap();
    assert_eq!(config.defaults.user, "from-env");
    assert_eq!(config.defaults.password.reveal(), "secret");
    assert_eq!(
        config.defaults.vhost, "from-file",
        "an empty variable counts as not set"
    );
    let config = load_all(file, &environment, &["default_user=from-set", "heartbeat=7"]).unwrap();
    assert_eq!(config.defaults.user, "from-set");
    assert_eq!(config.limits.heartbeat_s, 7);
}

#[test]
fn none_wins_within_a_source_but_not_over_a_later_one() {
    let file = "listeners.tcp = none\nlisteners.tcp.default = 5672\n";
    assert_eq!(loaded(file).listeners.tcp(), BTreeMap::new());
    let config = load_text(file, &["listeners.tcp.default=127.0.0.1:0"]).unwrap();
    assert_eq!(config.listeners.tcp(), named(&[("default", "127.0.0.1:0")]));
    let config = load_text("listeners.tcp.default = 5672\n", &["listeners.tcp=none"]).unwrap();
    assert_eq!(config.listeners.tcp(), BTreeMap::new());
}

#[test]
fn the_http_api_is_on_unless_told_otherwise() {
    let of = |text: &str| loaded(text).management;
    assert_eq!(
        (of("").is_on, of("").at),
        (true, Endpoint::read("15672").unwrap())
    );
    assert!(!of("management.tcp = none").is_on);
    assert_eq!(
        of("management.listener.port = 80\nmanagement.listener.ip = 127.0.0.1")
            .at
            .to_string(),
        "127.0.0.1:80"
    );
    for (written, prefix) in [("/", ""), ("mq", "/mq"), ("/mq/", "/mq"), ("/a/b", "/a/b")] {
        assert_eq!(
            of(&format!("management.path_prefix = '{written}'")).path_prefix,
            prefix
        );
    }
}

#[test]
fn an_absolute_watermark_wins_within_a_source() {
    let both = "vm_memory_high_watermark.absolute = 1000\nvm_memory_high_watermark.relative = 0.4\n";
    assert_eq!(loaded(both).memory.high_watermark, Watermark::Absolute(1000));
    let config = load_text(both, &["vm_memory_high_watermark.relative=0.5"]).unwrap();
    assert_eq!(config.memory.high_watermark, Watermark::Relative(0.5));
}

#[test]
fn an_absolute_limit_on_free_space_wins_within_a_source() {
    let limit = |text: &str| loaded(text).store.disk_free_limit;
    assert_eq!(limit(""), DiskLimit::Absolute(50_000_000));
    let both = "disk_free_limit.absolute = 2GB\ndisk_free_limit.relative = 1.5";
    assert_eq!(limit(both), DiskLimit::Absolute(2_000_000_000));
    let found = load_text(
        "disk_free_limit.absolute = 2GB",
        &["disk_free_limit.relative=1.5"],
    );
    assert_eq!(found.unwrap().store.disk_free_limit, DiskLimit::Relative(1.5));
}

#[test]
fn the_files_of_the_write_ahead_log_fit_into_it() {
    let segment_bytes = |text: &str| loaded(text).store.segment_bytes();
    assert_eq!(segment_bytes(""), 64 << 20);
    assert_eq!(segment_bytes("wal.max_bytes = 2GiB"), 64 << 20);
    assert_eq!(segment_bytes("wal.max_bytes = 64MiB"), 8 << 20);
    assert_eq!(segment_bytes("wal.max_bytes = 3MiB"), 1 << 20);
    assert_eq!(segment_bytes("wal.segment_bytes = 100MiB"), 100 << 20);
    assert_eq!(
        refused("wal.max_bytes = 3MiB\nwal.segment_bytes = 2MiB"),
        "`wal.segment_bytes` cannot be 2097152 while `wal.max_bytes` is 3145728: allowed is a third of it at \
         most"
    );
    assert!(refused("wal.max_bytes = 2MiB").contains("from 3145728"));
}

#[test]
fn free_ports_keep_names_and_addresses() {
    let mut config = loaded("listeners.tcp.a = 127.0.0.1:5672\nlisteners.tcp.b = 5673\n");
    config.use_free_ports();
    assert_eq!(config.listeners.tcp(), named(&[("a", "127.0.0.1:0"), ("b", "0")]));
    let mut config = Config::default();
    config.use_free_ports();
    assert_eq!(config.listeners.tcp(), named(&[("default", "0")]));
    let mut config = loaded("listeners.tcp = none\n");
    config.use_free_ports();
    assert_eq!(config.listeners.tcp(), BTreeMap::new());
    assert_eq!(config.management.at.port, 0);
    let mut config = loaded("management.tcp.ip = ::1");
    config.use_free_ports();
    assert_eq!(config.management.at, Endpoint::read("[::1]:0").unwrap());
}

#[test]
fn guest_stays_on_this_machine_unless_told_otherwise() {
    let users = |text: &str| loaded(text).auth.loopback_users.into_iter().collect::<Vec<_>>();
    assert_eq!(users(""), ["guest"]);
    assert_eq!(users("loopback_users.guest = false\n"), [""; 0]);
    assert_eq!(
        users("loopback_users.first\\.last = true\n"),
        ["first.last", "guest"]
    );
    assert_eq!(
        users("loopback_users = none\nloopback_users.admin = true\n"),
        [""; 0]
    );
}

#[test]
fn tags_that_are_named_replace_the_default_one() {
    let tags = |text: &str| loaded(text).defaults.user_tags().into_iter().collect::<Vec<_>>();
    assert_eq!(tags(""), ["administrator"]);
    assert_eq!(tags("default_user_tags.monitoring = true\n"), ["monitoring"]);
    assert_eq!(tags("default_user_tags.administrator = false\n"), [""; 0]);
}

#[test]
fn mechanisms_are_offered_once_and_in_the_order_of_their_numbers() {
    let text = "auth_mechanisms.10 = PLAIN\nauth_mechanisms.9 = AMQPLAIN\nauth_mechanisms.11 = PLAIN\n";
    assert_eq!(
        loaded(text).auth.mechanisms(),
        [Mechanism::AmqPlain, Mechanism::Plain]
    );
    assert_eq!(
        Config::default().auth.mechanisms(),
        [Mechanism::Plain, Mechanism::AmqPlain]
    );
}

#[test]
fn the_log_goes_to_a_file_or_to_standard_error_or_to_both() {
    let log = |text: &str| {
        let log = loaded(text).log;
        (
            log.file_path().map(|path| path.display().to_string()),
            log.to_console(),
        )
    };
    let file = |path: &str| Some(path.to_owned());
    assert_eq!(log(""), (None, true));
    assert_eq!(log("log.file = w.log\n"), (file("w.log"), false));
    assert_eq!(log("log.dir = /l\n"), (file("/l/warren.log"), false));
    assert_eq!(
        log("log.dir = /l\nlog.file = w.log\nlog.console = true\n"),
        (file("/l/w.log"), true)
    );
    assert_eq!(
        log("log.dir = /l\nlog.file = /m/w.log\n"),
        (file("/m/w.log"), false)
    );
    assert_eq!(log("log.dir = /l\nlog.file = false\n"), (None, true));
    assert_eq!(log("log.console = false\n"), (None, false));
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
    assert_eq!(
        refused("\nhartbeat = 5\n"),
        "warren.conf:2: unknown key `hartbeat`; the nearest known key is `heartbeat`"
    );
    assert_eq!(
        load_text("", &["listener.tcp.default=1"]).unwrap_err(),
        "--set listener.tcp.default: unknown key `listener.tcp.default`; \
         the nearest known key is `listeners.tcp.default`"
    );
}

#[test]
fn a_wrong_value_is_an_error_that_says_what_is_allowed() {
    assert_eq!(
        refused("heartbeat = 70000\n"),
        "warren.conf:1: `heartbeat` cannot be `70000`; allowed: a whole number from 0 to 65535"
    );
    assert_eq!(
        refused("log.level = loud\n"),
        "warren.conf:1: `log.level` cannot be `loud`; \
         allowed: debug, info, notice, warning, error, critical, alert, emergency, none"
    );
    for wrong in [
        "frame_max = 4095",
        "frame_max = 1GB",
        "max_message_size = 0",
        "max_message_size = 536870913",
        "consumer_max_per_channel = 0",
        "handshake_timeout = never",
        "listeners.tcp = 5672",
        "listeners.tcp.default = localhost:5672",
        "loopback_users.guest = no",
        "auth_mechanisms.1 = EXTERNAL",
        "password_hashing_module = sha256",
        "vm_memory_high_watermark.relative = 40%",
        "workers = 0",
    ] {
        assert!(refused(wrong).contains("; allowed: "), "{wrong}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = load_text(
        "nope = 1\nheartbeat\nheartbeat = x\n",
        &["workers=many", "workers"],
    )
    .unwrap_err();
    let places: Vec<&str> = text
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "warren.conf:2",
            "warren.conf:1",
            "warren.conf:3",
            "--set workers",
            "--set workers"
        ],
        "what cannot be read comes before what is not understood, source by source"
    );
}

#[test]
fn passwords_are_not_shown() {
    let config = loaded("default_pass = carrot\n");
    assert!(!format!("{config:?}").contains("carrot"));
    let text = load_text(
        "default_pas = carrot\n",
        &["default_pas=carrot", "default_pass carrot"],
    )
    .unwrap_err();
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains("carrot"), "{text}");
}

#[test]
fn a_file_that_is_missing_or_no_text_is_an_error() {
    let error = load(Some(Path::new("/nowhere/warren.conf")), &no_environment, &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read the configuration file /nowhere/warren.conf: ")
    );
    assert_eq!(error.iter().count(), 1);
    let variable = |name: &str| (name == "RABBITMQ_DEFAULT_USER").then(|| OsString::from_vec(vec![0xff]));
    let error = load(None, &variable, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable RABBITMQ_DEFAULT_USER: the value is not UTF-8"
    );
}

#[test]
fn the_file_is_the_one_given_or_the_one_of_the_environment() {
    let both = |name: &str| match name {
        "WARREN_CONFIG_FILE" => Some(OsString::from("w.conf")),
        "RABBITMQ_CONFIG_FILE" => Some(OsString::from("r.conf")),
        _ => None,
    };
    let rabbit = |name: &str| {
        if name == "WARREN_CONFIG_FILE" {
            Some(OsString::new())
        } else {
            both(name)
        }
    };
    assert_eq!(file(Some(Path::new("g.conf")), &both), Some("g.conf".into()));
    assert_eq!(file(None, &both), Some("w.conf".into()));
    assert_eq!(file(None, &rabbit), Some("r.conf".into()));
    assert_eq!(file(None, &no_environment), None);
}

//! A transcript file, cut into cases and steps.
//!
//! ```text
//! @connect A user=u password=p vhost=/ channels=1,2 capabilities=none frame_max=4096 heartbeat=2
//! @connect A vhost=none          logs in, and opens no virtual host
//! @socket A                      connects and says nothing
//! @vhost other                   a virtual host besides "/"
//! @user u p configure=^c write=.* read=.* tags=administrator     "none" for no permissions at all
//! @topic u amq.topic write=^a read=^b
//! @policy p pattern=^q apply-to=queues priority=1 max-length=5
//! @policy o operators max-length=5     one of operators
//! @no-policy p | @no-policy o operators
//! @alias a q | @no-alias a
//! @model m pattern=^q priority=1 auto-delete=true x-expires=5000
//! @limit max-queues 5 | @limit of u max-channels 5 | @limit max-queues none
//! @advance 30s                   time passes
//! @quiet                         nothing is heard
//! @unordered                     what is heard next may come in any order
//! @hold log | @release log       how durable things are
//! @watermark 1000                bytes of memory before publishers wait
//! @intercept keep                both interceptors are on; or "overwrite"
//! @warren-only reason            the case is not for other brokers
//! # a comment
//! ```

use super::brokers::{Policy, Topic, User, Wish};
use std::time::Duration;

/// A case: a conversation with a broker of its own.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) title: String,
    /// The title's line, from 1.
    pub(super) line: usize,
    pub(super) warren_only: bool,
    pub(super) steps: Vec<Step>,
}

/// A line of a case.
#[derive(Debug)]
pub(super) struct Step {
    /// From 1.
    pub(super) line: usize,
    pub(super) act: Act,
}

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    Say {
        peer: char,
        text: String,
    },
    /// The text is empty where nobody has listened yet.
    Hear {
        peer: char,
        text: String,
    },
    Socket(char),
    Connect(Box<Connect>),
    Wish(Wish),
    Quiet,
    Unordered,
}

/// A connection with its handshake done and channels opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) peer: char,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) vhost: String,
    /// It does open its virtual host.
    pub(super) opens: bool,
    pub(super) channels: Vec<u16>,
    pub(super) capabilities: Vec<String>,
    pub(super) frame_max: u32,
    pub(super) channel_max: u16,
    pub(super) heartbeat: u16,
}

impl Connect {
    /// As clients connect.
    pub(super) fn new(peer: char) -> Self {
        let capabilities = [
            "authentication_failure_close",
            "basic.nack",
            "connection.blocked",
            "consumer_cancel_notify",
            "publisher_confirms",
        ];
        Self {
            peer,
            user: "guest".to_owned(),
            password: "guest".to_owned(),
            vhost: "/".to_owned(),
            opens: true,
            channels: vec![1],
            capabilities: capabilities.map(str::to_owned).to_vec(),
            frame_max: 131_072,
            channel_max: 2047,
            heartbeat: 0,
        }
    }
}

/// Reads a file's cases.
///
/// # Errors
/// The line, from 1, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Case>, (usize, String)> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let content = raw.trim_end();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(title) = content.strip_prefix("=== ") {
            let title = title.to_owned();
            cases.push(Case {
                title,
                line,
                warren_only: false,
                steps: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            return Err((line, "a step before the first `=== title`".to_owned()));
        };
        if content.starts_with("@warren-only ") {
            case.warren_only = true;
            continue;
        }
        let act = act(content).map_err(|error| (line, error))?;
        case.steps.push(Step { line, act });
    }
    Ok(cases)
}

fn act(content: &str) -> Result<Act, String> {
    if let Some(directive) = content.strip_prefix('@') {
        return self::directive(directive);
    }
    let mut chars = content.chars();
    let (peer, way) = (chars.next(), chars.next());
    let text = chars.as_str().trim_start().to_owned();
    match (peer, way) {
        // What `C` hears, the server says.
        (Some('S'), Some('<')) => Ok(Act::Hear { peer: 'C', text }),
        (Some(peer @ ('A'..='R' | 'T'..='Z')), Some('<')) => Ok(Act::Hear { peer, text }),
        (Some(peer @ ('A'..='R' | 'T'..='Z')), Some('>')) => Ok(Act::Say { peer, text }),
        _ => Err(format!("`{content}` is no line of a transcript")),
    }
}

fn directive(text: &str) -> Result<Act, String> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let wrong = || format!("`@{text}` is no directive");
    Ok(match (name, words.as_slice()) {
        ("quiet", []) => Act::Quiet,
        ("unordered", []) => Act::Unordered,
        ("socket", [peer]) => Act::Socket(letter(peer)?),
        ("connect", [peer, options @ ..]) => Act::Connect(Box::new(connect(letter(peer)?, options)?)),
        ("vhost", [name]) => Act::Wish(Wish::Vhost((*name).to_owned())),
        ("user", [name, password, options @ ..]) => Act::Wish(Wish::User(user(name, password, options)?)),
        ("topic", [user, exchange, options @ ..]) => Act::Wish(Wish::Topic(Topic {
            user: (*user).to_owned(),
            exchange: (*exchange).to_owned(),
            write: option(options, "write").unwrap_or(".*").to_owned(),
            read: option(options, "read").unwrap_or(".*").to_owned(),
        })),
        ("policy", [name, "operators", options @ ..]) => Act::Wish(policy(name, true, options)?),
        ("policy", [name, options @ ..]) => Act::Wish(policy(name, false, options)?),
        ("alias", [name, queue]) => Act::Wish(Wish::Alias((*name).to_owned(), (*queue).to_owned())),
        ("no-alias", [name]) => Act::Wish(Wish::NoAlias((*name).to_owned())),
        ("model", [name, options @ ..]) => Act::Wish(Wish::Model((*name).to_owned(), pairs(options)?)),
        ("limit", [name, number]) => limit(None, name, number)?,
        ("limit", ["of", user, name, number]) => limit(Some(user), name, number)?,
        ("no-policy", [name, "operators"]) => Act::Wish(Wish::NoPolicy((*name).to_owned(), true)),
        ("no-policy", [name]) => Act::Wish(Wish::NoPolicy((*name).to_owned(), false)),
        ("advance", [time]) => Act::Wish(Wish::Advance(duration(time).ok_or_else(wrong)?)),
        ("hold", ["log"]) => Act::Wish(Wish::HoldLog),
        ("release", ["log"]) => Act::Wish(Wish::ReleaseLog),
        ("intercept", ["keep"]) => Act::Wish(Wish::Intercept(false)),
        ("intercept", ["overwrite"]) => Act::Wish(Wish::Intercept(true)),
        ("watermark", [bytes]) => Act::Wish(Wish::Watermark(bytes.parse().map_err(|_| wrong())?)),
        _ => return Err(wrong()),
    })
}

fn letter(word: &str) -> Result<char, String> {
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(peer @ 'A'..='Z'), None) => Ok(peer),
        _ => Err(format!("`{word}` is no connection's letter")),
    }
}

fn option<'o>(options: &[&'o str], name: &str) -> Option<&'o str> {
    options
        .iter()
        .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

fn connect(peer: char, options: &[&str]) -> Result<Connect, String> {
    let mut connect = Connect::new(peer);
    for given in options {
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| format!("`{given}` is no option"))?;
        let wrong = |_| format!("`{given}` is no number");
        match name {
            "user" => {
                connect.user = value.to_owned();
                connect.password = value.to_owned();
            }
            "password" => connect.password = value.to_owned(),
            "vhost" if value == "none" => connect.opens = false,
            "vhost" => connect.vhost = value.to_owned(),
            "channels" if value == "none" => connect.channels.clear(),
            "channels" => {
                connect.channels = value
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .map_err(wrong)?;
            }
            "capabilities" if value == "none" => connect.capabilities.clear(),
            "capabilities" => connect.capabilities = value.split(',').map(str::to_owned).collect(),
            "frame_max" => connect.frame_max = value.parse().map_err(wrong)?,
            "channel_max" => connect.channel_max = value.parse().map_err(wrong)?,
            "heartbeat" => connect.heartbeat = value.parse().map_err(wrong)?,
            _ => return Err(format!("@connect knows no `{name}`")),
        }
    }
    Ok(connect)
}

fn user(name: &str, password: &str, options: &[&str]) -> Result<User, String> {
    let mut user = User {
        name: name.to_owned(),
        password: password.to_owned(),
        ..User::default()
    };
    let mut permissions = [".*".to_owned(), ".*".to_owned(), ".*".to_owned()];
    user.permissions = if options.contains(&"none") {
        None
    } else {
        Some(permissions.clone())
    };
    for given in options.iter().filter(|given| **given != "none") {
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| format!("`{given}` is no option"))?;
        let [configure, write, read] = &mut permissions;
        match name {
            "configure" => value.clone_into(configure),
            "write" => value.clone_into(write),
            "read" => value.clone_into(read),
            "tags" => value.clone_into(&mut user.tags),
            _ => return Err(format!("@user knows no `{name}`")),
        }
        if name != "tags" {
            user.permissions = Some(permissions.clone());
        }
    }
    Ok(user)
}

fn limit(user: Option<&str>, name: &str, number: &str) -> Result<Act, String> {
    let number = match number {
        "none" => None,
        number => Some(number.parse().map_err(|_| format!("`{number}` is no number"))?),
    };
    Ok(Act::Wish(Wish::Limit(
        user.map(str::to_owned),
        name.to_owned(),
        number,
    )))
}

fn policy(name: &str, is_operators: bool, options: &[&str]) -> Result<Wish, String> {
    let mut policy = Policy {
        name: name.to_owned(),
        is_operators,
        apply_to: "all".to_owned(),
        ..Policy::default()
    };
    for (name, value) in pairs(options)? {
        match &*name {
            "pattern" => policy.pattern = value,
            "apply-to" => policy.apply_to = value,
            "priority" => policy.priority = value.parse().map_err(|_| format!("`{value}` is no number"))?,
            _ => policy.definition.push((name, value)),
        }
    }
    Ok(Wish::Policy(policy))
}

fn pairs(options: &[&str]) -> Result<Vec<(String, String)>, String> {
    let pair = |given: &&str| {
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| format!("`{given}` is no option"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    options.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn cases_and_steps_know_their_lines() {
        let text = "# head\n=== one\nC> 1 tx.select\nS< 1 tx.select-ok\n\n\
                    === two\n@warren-only why\n@advance 2s\nA<\n";
        let cases = parse(text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!((cases[0].line, cases[0].steps[1].line), (2, 4));
        assert_eq!(
            cases[0].steps[1].act,
            Act::Hear {
                peer: 'C',
                text: "1 tx.select-ok".to_owned()
            }
        );
        assert!(cases[1].warren_only && !cases[0].warren_only);
        assert_eq!(
            cases[1].steps[0].act,
            Act::Wish(Wish::Advance(Duration::from_secs(2)))
        );
        assert_eq!(
            cases[1].steps[1].act,
            Act::Hear {
                peer: 'A',
                text: String::new()
            }
        );
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, line) in [
            ("C> x", 1),
            ("=== a\nS> x", 2),
            ("=== a\n@frob", 2),
            ("=== a\n@advance 3", 2),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }

    #[test]
    fn what_a_policy_has_no_place_for_is_its_definition() {
        let Act::Wish(Wish::Policy(policy)) = act("@policy p operators pattern=^q expires=5 a=b").unwrap()
        else {
            unreachable!()
        };
        assert_eq!((&*policy.pattern, &*policy.apply_to), ("^q", "all"));
        assert!(policy.is_operators);
        let definition = [("expires", "5"), ("a", "b")];
        assert_eq!(
            policy.definition,
            definition.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn users_have_all_permissions_unless_told() {
        let Act::Wish(Wish::User(user)) = act("@user u p write=^a").unwrap() else {
            unreachable!()
        };
        assert_eq!(user.permissions.unwrap(), [".*", "^a", ".*"]);
        let Act::Wish(Wish::User(user)) = act("@user u p none").unwrap() else {
            unreachable!()
        };
        assert_eq!(user.permissions, None);
    }
}

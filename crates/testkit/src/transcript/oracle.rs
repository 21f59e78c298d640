//! Another broker under a transcript, over TCP: how we know that a transcript is right.
//!
//! Every case gets a virtual host that is made for it through the HTTP API. Its name is one character long,
//! as "/" is, since RabbitMQ breaks some texts by their length; in the transcript it is called "/". Cases of
//! different files run at the same time, so users' names have to differ between files.

use super::brokers::{Broker, Until, Wish};
use super::hearing::{self, Ear, Heard};
use super::{ORACLE, ORACLE_HTTP, http};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Nothing was heard for so long: nothing more comes.
const QUIET: Duration = Duration::from_millis(60);

/// The same when nobody knows what is to come.
const QUIET_UNKNOWN: Duration = Duration::from_millis(300);

/// The longest wait for something that is to come. RabbitMQ closes after some errors with a delay of 3 s.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long one read waits.
const READ: Duration = Duration::from_millis(5);

/// Names of virtual hosts that are free.
static FREE: Mutex<Vec<char>> = Mutex::new(Vec::new());
static LETTERS: Mutex<std::ops::RangeInclusive<char>> = Mutex::new('a'..='z');

struct Peer {
    letter: char,
    stream: TcpStream,
    ear: Ear,
    is_over: bool,
}

/// A broker elsewhere, during one case.
pub(super) struct Oracle {
    address: String,
    http: String,
    vhost: char,
    vhosts: Vec<String>,
    users: Vec<String>,
    peers: Vec<Peer>,
    last_said: Option<char>,
    early: Vec<Heard>,
}

fn free_letter() -> Result<char, String> {
    let freed = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let fresh = || LETTERS.lock().unwrap_or_else(PoisonError::into_inner).next();
    freed
        .or_else(fresh)
        .ok_or_else(|| "no virtual host is free".to_owned())
}

impl Oracle {
    pub(super) fn new() -> Result<Self, String> {
        let address = std::env::var(ORACLE).map_err(|_| format!("{ORACLE} names no broker"))?;
        let http = match std::env::var(ORACLE_HTTP) {
            Ok(http) => http,
            Err(_) => http_beside(&address)?,
        };
        let vhost = free_letter()?;
        let oracle = Self {
            address,
            http,
            vhost,
            vhosts: vec![vhost.to_string()],
            users: Vec::new(),
            peers: Vec::new(),
            last_said: None,
            early: Vec::new(),
        };
        oracle.delete("vhosts", &vhost.to_string())?;
        oracle.put(&format!("vhosts/{vhost}"), "{}")?;
        Ok(oracle)
    }

    fn put(&self, path: &str, json: &str) -> Result<(), String> {
        http::request(&self.http, "PUT", &format!("/api/{path}"), json)
    }

    fn delete(&self, kind: &str, name: &str) -> Result<(), String> {
        let path = format!("/api/{kind}/{}", http::segment(name));
        http::request(&self.http, "DELETE", &path, "")
    }

    fn peer(&mut self, letter: char) -> Result<&mut Peer, String> {
        let found = self.peers.iter_mut().rfind(|peer| peer.letter == letter);
        found.ok_or_else(|| format!("{letter} is not connected"))
    }

    /// Reads what is there, from all peers. Answers whether anything was.
    fn read(&mut self, heard: &mut Vec<Heard>) -> bool {
        let mut buffer = vec![0; 65_536];
        let mut is_any = false;
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_over) {
            match peer.stream.read(&mut buffer) {
                Ok(0) => {
                    peer.is_over = true;
                    heard.push(hearing::end(peer.letter));
                    is_any = true;
                }
                Ok(count) => {
                    peer.ear
                        .take(peer.letter, buffer.get(..count).unwrap_or_default(), heard);
                    is_any = true;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => {
                    peer.is_over = true;
                    heard.push(hearing::end(peer.letter));
                    is_any = true;
                }
            }
        }
        is_any
    }

    fn put_user(&mut self, user: &super::brokers::User) -> Result<(), String> {
        let name = http::segment(&user.name);
        let (password, tags) = (http::string(&user.password), http::string(&user.tags));
        self.users.push(user.name.clone());
        self.put(
            &format!("users/{name}"),
            &format!("{{\"password\":{password},\"tags\":{tags}}}"),
        )?;
        let Some([configure, write, read]) = &user.permissions else {
            return Ok(());
        };
        let [configure, write, read] = [configure, write, read].map(|pattern| http::string(pattern));
        let json = format!("{{\"configure\":{configure},\"write\":{write},\"read\":{read}}}");
        self.put(&format!("permissions/{}/{name}", self.vhost), &json)
    }

    fn put_policy(&self, policy: &super::brokers::Policy) -> Result<(), String> {
        let json = |text: &str| match text.parse::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) if matches!(text, "true" | "false") => text.to_owned(),
            Err(_) => http::string(text),
        };
        let keys = policy.definition.iter();
        let keys: Vec<String> = keys
            .map(|(key, value)| format!("{}:{}", http::string(key), json(value)))
            .collect();
        let [pattern, apply_to] = [&policy.pattern, &policy.apply_to].map(|text| http::string(text));
        let (priority, keys) = (policy.priority, keys.join(","));
        let path = self.policy_path(&policy.name, policy.is_operators);
        self.put(
            &path,
            &format!(
                "{{\"pattern\":{pattern},\"apply-to\":{apply_to},\"priority\":{priority},\
                 \"definition\":{{{keys}}}}}"
            ),
        )
    }

    fn policy_path(&self, name: &str, is_operators: bool) -> String {
        let kind = if is_operators {
            "operator-policies"
        } else {
            "policies"
        };
        format!("{kind}/{}/{}", self.vhost, http::segment(name))
    }

    fn put_topic(&mut self, topic: &super::brokers::Topic) -> Result<(), String> {
        let [exchange, write, read] =
            [&topic.exchange, &topic.write, &topic.read].map(|text| http::string(text));
        let json = format!("{{\"exchange\":{exchange},\"write\":{write},\"read\":{read}}}");
        self.put(
            &format!("topic-permissions/{}/{}", self.vhost, http::segment(&topic.user)),
            &json,
        )
    }
}

/// The HTTP API of a broker, by RabbitMQ's habit.
fn http_beside(address: &str) -> Result<String, String> {
    let wrong = || format!("`{address}` is no address");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u32 = port.parse().map_err(|_| wrong())?;
    Ok(format!("{host}:{}", port + 10_000))
}

impl Broker for Oracle {
    fn is_warren(&self) -> bool {
        false
    }

    fn wish(&mut self, wish: &Wish) -> Result<(), String> {
        match wish {
            Wish::Vhost(name) => {
                self.vhosts.push(name.clone());
                self.put(&format!("vhosts/{}", http::segment(name)), "{}")
            }
            Wish::User(user) => self.put_user(user),
            Wish::Topic(topic) => self.put_topic(topic),
            Wish::Policy(policy) => self.put_policy(policy),
            Wish::NoPolicy(name, is_operators) => {
                let path = format!("/api/{}", self.policy_path(name, *is_operators));
                http::request(&self.http, "DELETE", &path, "")
            }
            Wish::Limit(user, name, number) => {
                let of = match user {
                    None => format!("vhost-limits/{}", self.vhost),
                    Some(user) => format!("user-limits/{}", http::segment(user)),
                };
                match number {
                    Some(number) => self.put(&format!("{of}/{name}"), &format!("{{\"value\":{number}}}")),
                    None => http::request(&self.http, "DELETE", &format!("/api/{of}/{name}"), ""),
                }
            }
            Wish::Alias(..) | Wish::NoAlias(_) | Wish::Model(..) => {
                Err("the other broker has no aliases and models of queues".to_owned())
            }
            Wish::Advance(by) => {
                // The other broker's clock is the wall's.
                let until = Instant::now() + *by;
                let mut heard = std::mem::take(&mut self.early);
                while Instant::now() < until {
                    self.read(&mut heard);
                    std::thread::sleep(READ);
                }
                self.early = heard;
                Ok(())
            }
            Wish::HoldLog | Wish::ReleaseLog | Wish::Watermark(_) | Wish::Intercept(_) => {
                Err("only Warren can be told so; mark the case with @warren-only".to_owned())
            }
        }
    }

    fn connect(&mut self, letter: char) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.address);
        let stream = TcpStream::connect(&self.address).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(READ)).map_err(failed)?;
        self.peers.push(Peer {
            letter,
            stream,
            ear: Ear::default(),
            is_over: false,
        });
        Ok(())
    }

    fn say(&mut self, letter: char, bytes: &[u8]) -> Result<(), String> {
        // What another connection said before has to be done, as it is with Warren.
        if self.last_said.replace(letter).is_some_and(|last| last != letter) {
            let heard = self.hear(Until::Quiet(0))?;
            self.early = heard;
        }
        // Who was closed on in the middle of what he says hears so.
        let _ = self.peer(letter)?.stream.write_all(bytes);
        Ok(())
    }

    fn hang_up(&mut self, letter: char) -> Result<(), String> {
        let peer = self.peer(letter)?;
        peer.is_over = true;
        let _ = peer.stream.shutdown(Shutdown::Both);
        Ok(())
    }

    fn hear(&mut self, until: Until) -> Result<Vec<Heard>, String> {
        let mut heard = std::mem::take(&mut self.early);
        let began = Instant::now();
        let mut last = began;
        let quiet = if std::env::var_os("UPDATE_EXPECT").is_some() {
            QUIET_UNKNOWN
        } else {
            QUIET
        };
        loop {
            if self.read(&mut heard) {
                last = Instant::now();
            }
            let is_done = match until {
                Until::Heard(count) => heard.len() >= count,
                Until::Quiet(count) => heard.len() >= count && last.elapsed() >= quiet,
            };
            if is_done || began.elapsed() >= PATIENCE {
                return Ok(heard);
            }
            if self.peers.iter().all(|peer| peer.is_over) {
                std::thread::sleep(READ);
            }
        }
    }

    fn outgoing(&self, line: String) -> String {
        if line.starts_with("0 connection.open") {
            return line.replace("vhost=\"/\"", &format!("vhost=\"{}\"", self.vhost));
        }
        line
    }

    fn incoming(&self, line: String) -> String {
        line.replace(&format!("vhost '{}'", self.vhost), "vhost '/'")
    }

    fn end(&mut self) -> Result<(), String> {
        self.peers.clear();
        for vhost in std::mem::take(&mut self.vhosts) {
            self.delete("vhosts", &vhost)?;
        }
        for user in std::mem::take(&mut self.users) {
            self.delete("users", &user)?;
        }
        FREE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.vhost);
        Ok(())
    }
}

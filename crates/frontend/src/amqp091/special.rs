//! What the properties of a published message ask of the broker besides being passed on:
//! further routing keys, an expiration, a user's name, a place for direct replies.

use super::asked::Asked;
use super::channel::{Consumer, Source};
use super::due::{Due, TEN_YEARS_MS};
use super::interceptors::Interceptors;
use super::refusal::{self, Failure};
use crate::convert;
use hashbrown::HashMap;
use warren_broker::message::AnnotationsWriter;
use warren_node::REPLY_TO;
use warren_protocol::amqp091::properties::{Edit, Properties};
use warren_protocol::amqp091::table::{Change, Value};

/// Whether nothing in the properties asks for a check or a change: most messages.
pub(super) fn is_plain(properties: &Properties<'_>) -> bool {
    properties.headers().is_none()
        && properties.expiration().is_none()
        && properties.user_id().is_none()
        && properties.reply_to().is_none()
}

/// What the properties of a message ask of the broker.
#[derive(Debug, Default)]
pub(super) struct Special {
    pub(super) more_keys: Vec<String>,
    /// So many of them consumers are told of.
    told_keys: usize,
    /// The properties as they are to be passed on, where that is not as they came.
    pub(super) edited: Option<Vec<u8>>,
    /// The message's own time to live.
    ttl_ms: Option<u64>,
    pub(super) due: Option<Due>,
}

impl Special {
    pub(super) fn read(
        properties: &Properties<'_>,
        client: &warren_node::Client,
        consumers: &HashMap<u32, Consumer>,
        interceptors: &Interceptors,
        now_ms: u64,
    ) -> Result<Self, Failure> {
        let own_replies = consumers.values().find_map(|consumer| match &consumer.source {
            Source::Replies(address) => Some(address.as_str()),
            Source::Queue(..) | Source::Browser(_) => None,
        });
        let asked = properties.headers().map_or_else(Asked::default, Asked::find);
        let edited = edit(properties, &asked, own_replies, interceptors, now_ms)?;
        let ttl_ms = expiration(properties.expiration())?;
        let (more_keys, told_keys) = further_keys(&asked)?;
        check_user(properties.user_id(), client)?;
        Ok(Self {
            more_keys,
            told_keys,
            edited,
            ttl_ms,
            due: Due::read(&asked, now_ms),
        })
    }

    /// Notes what queues have to know.
    pub(super) fn note(&self, noted: &mut AnnotationsWriter) {
        if let Some(ttl_ms) = self.ttl_ms {
            noted.ttl_ms(ttl_ms);
        }
        if let Some(due) = self.due {
            noted.due_ms(due.at_ms);
        }
        if let Some((told, hidden)) = self.more_keys.split_at_checked(self.told_keys) {
            noted.keys(told);
            noted.hidden_keys(hidden);
        }
    }
}

/// Further routing keys: the strings of the headers CC and BCC, and how many are of the former.
fn further_keys(asked: &Asked<'_>) -> Result<(Vec<String>, usize), Failure> {
    let (mut keys, mut told) = (Vec::new(), 0);
    for (name, found) in [("CC", asked.cc), ("BCC", asked.bcc)] {
        let Some(found) = found else { continue };
        let refused = |type_name: &str| {
            let text = format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{type_name}}}");
            Failure::channel(refusal::PRECONDITION_FAILED, text)
        };
        let Value::Array(array) = found else {
            return Err(refused(convert::value(found).type_name()));
        };
        // What is no string is no key.
        keys.extend(array.iter().filter_map(|item| match item {
            Value::LongString(key) => Some(String::from_utf8_lossy(key).into_owned()),
            _ => None,
        }));
        if name == "CC" {
            told = keys.len();
        }
    }
    Ok((keys, told))
}

/// The properties as they are to be passed on, where that is not as they came: without BCC, with the
/// consumer's address in reply-to, and with what interceptors set.
fn edit(
    properties: &Properties<'_>,
    asked: &Asked<'_>,
    own_replies: Option<&str>,
    interceptors: &Interceptors,
    now_ms: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut changes = Vec::new();
    if asked.bcc.is_some() {
        changes.push(Change::remove("BCC"));
    }
    let asks_replies = properties.reply_to() == Some(REPLY_TO.as_bytes());
    if asks_replies && own_replies.is_none() {
        let text = "fast reply consumer does not exist";
        return Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
    }
    let timestamp = interceptors.intercept(properties, now_ms, &mut changes);
    if changes.is_empty() && timestamp.is_none() && !asks_replies {
        return Ok(None);
    }
    let mut out = Vec::new();
    let edit = Edit {
        reply_to: own_replies.filter(|_| asks_replies).map(str::as_bytes),
        headers: &changes,
        timestamp,
        ..Edit::default()
    };
    let written = properties.rewrite(&mut out, edit);
    written.map_err(|error| Failure::channel(refusal::PRECONDITION_FAILED, error.to_string()))?;
    Ok(Some(out))
}

fn check_user(user_id: Option<&[u8]>, client: &warren_node::Client) -> Result<(), Failure> {
    let Some(claimed) = user_id else { return Ok(()) };
    let user = client.user();
    if claimed == user.name.as_str().as_bytes() || user.has_tag("impersonator") {
        return Ok(());
    }
    let claimed = String::from_utf8_lossy(claimed);
    let text = format!(
        "user_id property set to '{claimed}' but authenticated user was '{}'",
        user.name
    );
    Err(Failure::channel(refusal::PRECONDITION_FAILED, text))
}

/// `expiration` is a whole number of milliseconds, as text, and at most ten years.
fn expiration(expiration: Option<&[u8]>) -> Result<Option<u64>, Failure> {
    let Some(bytes) = expiration else { return Ok(None) };
    if let Some(ttl_ms) = digits(bytes) {
        return Ok(Some(ttl_ms));
    }
    let shown = String::from_utf8_lossy(bytes);
    let prefix = format!("invalid expiration '{shown}': ");
    let refused = |fault: String| {
        Err(Failure::channel(
            refusal::PRECONDITION_FAILED,
            format!("{prefix}{fault}"),
        ))
    };
    let digits_from = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = bytes
        .iter()
        .skip(digits_from)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 {
        return refused("no_integer".to_owned());
    }
    let (number, rest) = shown
        .split_at_checked(digits_from + digits)
        .unwrap_or((&shown, ""));
    if !rest.is_empty() {
        return refused(format!("{{leftover_string,{rest:?}}}"));
    }
    // More than 38 digits are too large whatever they say.
    let value: i128 = number.parse().unwrap_or(i128::MAX);
    match u64::try_from(value) {
        Ok(ttl_ms) if ttl_ms <= TEN_YEARS_MS => Ok(Some(ttl_ms)),
        Err(_) if value < 0 => refused(format!("{{value_negative,{number}}}")),
        _ => refused(too_large(number, prefix.chars().count())),
    }
}

/// What all expirations look like that are right.
fn digits(bytes: &[u8]) -> Option<u64> {
    let is_number = bytes.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_number)?;
    text.parse().ok().filter(|ttl_ms| *ttl_ms <= TEN_YEARS_MS)
}

/// RabbitMQ breaks a term that would pass column 80 after its first comma.
fn too_large(number: &str, column: usize) -> String {
    let line = format!("{{value_too_large,{number}}}");
    if column + line.len() <= 80 {
        return line;
    }
    format!("{{value_too_large,\n{}{number}}}", " ".repeat(column + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<String> {
        expiration(Some(text.as_bytes()))
            .err()
            .map(|failure| failure.reply_text())
    }

    #[test]
    fn expirations_are_whole_milliseconds() {
        for good in ["0", "1", "60000", "315360000000"] {
            assert_eq!(fault(good), None, "{good}");
            let read = expiration(Some(good.as_bytes())).ok().flatten();
            assert_eq!(read.map(|ttl_ms| ttl_ms.to_string()).as_deref(), Some(good));
        }
        let cases = [
            (" 5", "' 5': no_integer"),
            ("", "'': no_integer"),
            ("abc", "'abc': no_integer"),
            ("-1", "'-1': {value_negative,-1}"),
            ("1.5", "'1.5': {leftover_string,\".5\"}"),
        ];
        for (text, expected) in cases {
            let expected = format!("PRECONDITION_FAILED - invalid expiration {expected}");
            assert_eq!(fault(text), Some(expected));
        }
    }

    #[test]
    fn a_huge_expiration_is_told_as_rabbitmq_prints_it() {
        let spaces = " ".repeat(44);
        let expected = format!(
            "PRECONDITION_FAILED - invalid expiration '99999999999999999999': \
             {{value_too_large,\n{spaces}99999999999999999999}}"
        );
        assert_eq!(fault("99999999999999999999"), Some(expected));
    }
}

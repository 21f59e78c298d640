//! The headers by which a published message asks something of the broker.

use warren_protocol::amqp091::table::{Table, Value};

/// Milliseconds to wait; what makes the messages of the plugin for delays wait.
pub(super) const DELAY: &[u8] = b"x-delay";
/// Until when to wait, in milliseconds since 1970.
const DELIVER_AT: &[u8] = b"x-deliver-at";

/// The headers that ask something of the broker, as one walk finds them.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) cc: Option<Value<'a>>,
    pub(super) bcc: Option<Value<'a>>,
    pub(super) delay: Option<Value<'a>>,
    pub(super) deliver_at: Option<Value<'a>>,
}

impl<'a> Asked<'a> {
    pub(super) fn find(headers: Table<'a>) -> Self {
        let mut asked = Self::default();
        for (name, value) in headers {
            let place = match name {
                b"CC" => &mut asked.cc,
                b"BCC" => &mut asked.bcc,
                DELAY => &mut asked.delay,
                DELIVER_AT => &mut asked.deliver_at,
                _ => continue,
            };
            // The first of a name counts.
            place.get_or_insert(value);
        }
        asked
    }
}

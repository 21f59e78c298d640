//! The names of things, as types that are valid once made.
//!
//! A name is at most 255 bytes of UTF-8 (an AMQP short string) and shares its text: cloning one is a counter,
//! not a copy. Types differ so that a queue's name cannot stand where an exchange's is wanted. What a name
//! may *not* be beyond its length (`amq.` is the broker's own, an empty queue name asks for a generated one)
//! depends on the operation and is the catalog's affair; [`stripped`] and `is_reserved` give it the facts.
//!
//! Spec: 0-9-1 §4.2.5.3 (short strings), §3.1.3.1 and §3.1.4.1 (reserved names).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// The most bytes that a name may have.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("a name of {bytes} bytes is longer than {NAME_BYTES_MAX}")]
    TooLong {
        /// The length of the refused text.
        bytes: usize,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            ///
            /// # Errors
            /// [`Error::TooLong`] above [`NAME_BYTES_MAX`] bytes.
            pub fn new(text: &str) -> Result<Self, Error> {
                if text.len() > NAME_BYTES_MAX {
                    return Err(Error::TooLong { bytes: text.len() });
                }
                Ok($name(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the name is empty.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Whether the name is in the part of the name space that belongs to the broker (`amq.`).
            pub fn is_reserved(&self) -> bool {
                is_reserved(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// The name of a virtual host, such as `/`.
    VhostName
}
name! {
    /// The name of an exchange in its virtual host. The empty name is the default exchange.
    ExchangeName
}
name! {
    /// The name of a queue in its virtual host.
    QueueName
}
name! {
    /// The name of a user.
    UserName
}
name! {
    /// What a client calls one of its consumers, unique in its channel.
    ConsumerTag
}

/// Whether the text is in the part of the name space that belongs to the broker.
pub fn is_reserved(text: &str) -> bool {
    text.starts_with("amq.")
}

/// The text without carriage returns and line feeds, which RabbitMQ strips from the names of queues and
/// exchanges. Copies only when there is one.
pub fn stripped(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) {
        Cow::Owned(text.replace(['\r', '\n'], ""))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_name_has_at_most_255_bytes() {
        assert_eq!(QueueName::new(&"q".repeat(255)).unwrap().as_str().len(), 255);
        assert_eq!(
            QueueName::new(&"q".repeat(256)),
            Err(Error::TooLong { bytes: 256 })
        );
        // Bytes count, not characters: 128 characters of two bytes are too many.
        assert_eq!(
            UserName::new(&"é".repeat(128)),
            Err(Error::TooLong { bytes: 256 })
        );
    }

    #[test]
    fn names_are_found_by_text() {
        let map = HashMap::from([(VhostName::new("/").unwrap(), 1)]);
        assert_eq!(map.get("/"), Some(&1));
        assert_eq!(map.get("x"), None);
    }

    #[test]
    fn line_ends_are_stripped() {
        assert_eq!(stripped("a\r\nb\n"), "ab");
        assert!(matches!(stripped("ab"), Cow::Borrowed("ab")));
    }

    #[test]
    fn the_brokers_own_names_start_with_amq_dot() {
        assert!(ExchangeName::new("amq.direct").unwrap().is_reserved());
        assert!(!ExchangeName::new("amqdirect").unwrap().is_reserved());
        assert!(!ExchangeName::new("my.amq.x").unwrap().is_reserved());
    }
}

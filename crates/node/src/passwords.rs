//! Passwords: RabbitMQ's salted hashes, made and checked.
//!
//! ```text
//! base64( salt (4 bytes) | hash(salt | password) )
//! ```
//! RabbitMQ: passwords.md#computing-password-hash

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use warren_broker::access::PasswordHash;

/// Bytes of salt before the hash.
const SALT_BYTES: usize = 4;

/// Which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// `rabbit_password_hashing_sha256`.
    #[default]
    Sha256,
    /// `rabbit_password_hashing_sha512`.
    Sha512,
    /// `rabbit_password_hashing_md5`.
    Md5,
}

impl Algorithm {
    /// The algorithm of RabbitMQ's module name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "rabbit_password_hashing_sha256" => Some(Self::Sha256),
            "rabbit_password_hashing_sha512" => Some(Self::Sha512),
            "rabbit_password_hashing_md5" => Some(Self::Md5),
            _ => None,
        }
    }

    /// RabbitMQ's module name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "rabbit_password_hashing_sha256",
            Self::Sha512 => "rabbit_password_hashing_sha512",
            Self::Md5 => "rabbit_password_hashing_md5",
        }
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
            Self::Sha512 => Sha512::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
            Self::Md5 => Md5::new()
                .chain_update(salt)
                .chain_update(password)
                .finalize()
                .to_vec(),
        }
    }
}

/// Why something is no password hash, or none could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an algorithm that this broker knows.
    #[error("unknown password hashing algorithm '{0}'")]
    UnknownAlgorithm(String),
    /// Not base64.
    #[error("the password hash is not valid base64")]
    NotBase64,
    /// Too short to hold a salt and a hash.
    #[error("the password hash is too short to hold a salt and a hash")]
    TooShort,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a salt")]
    NoRandom,
}

/// Hashes a password with a fresh salt.
///
/// # Errors
/// [`Error::NoRandom`].
pub fn hash(password: &str, algorithm: Algorithm) -> Result<PasswordHash, Error> {
    let mut salted = vec![0; SALT_BYTES];
    getrandom::fill(&mut salted).map_err(|_| Error::NoRandom)?;
    let digest = algorithm.digest(&salted, password.as_bytes());
    salted.extend_from_slice(&digest);
    Ok(PasswordHash {
        algorithm: algorithm.name().into(),
        salted: salted.into(),
    })
}

/// Reads a hash as definitions carry it.
///
/// # Errors
/// All but [`Error::NoRandom`].
pub fn parse(encoded: &str, algorithm: &str) -> Result<PasswordHash, Error> {
    if Algorithm::named(algorithm).is_none() {
        return Err(Error::UnknownAlgorithm(algorithm.to_owned()));
    }
    let salted = STANDARD.decode(encoded).map_err(|_| Error::NotBase64)?;
    if salted.len() <= SALT_BYTES {
        return Err(Error::TooShort);
    }
    Ok(PasswordHash {
        algorithm: algorithm.into(),
        salted: salted.into(),
    })
}

/// Whether the password is the one that was hashed. Takes the same time wherever they differ.
pub fn verify(password: &[u8], hash: &PasswordHash) -> bool {
    let Some(algorithm) = Algorithm::named(&hash.algorithm) else {
        return false;
    };
    let Some((salt, expected)) = hash.salted.split_at_checked(SALT_BYTES) else {
        return false;
    };
    algorithm.digest(salt, password).ct_eq(expected).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn made_hashes_verify() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Md5] {
            let made = hash("s3cret", algorithm).unwrap();
            assert!(verify(b"s3cret", &made));
            assert!(!verify(b"s3creT", &made));
        }
    }

    #[test]
    fn a_hash_from_the_documentation_of_rabbitmq_verifies() {
        // Salt 908D C60A, password "test12".
        let known = parse(
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
            "rabbit_password_hashing_sha256",
        );
        assert!(verify(b"test12", &known.unwrap()));
    }

    #[test]
    fn wrong_hashes_are_told_apart() {
        assert_eq!(parse("!", "rabbit_password_hashing_md5"), Err(Error::NotBase64));
        assert_eq!(parse("AAAA", "rabbit_password_hashing_md5"), Err(Error::TooShort));
        assert!(matches!(parse("AAAA", "bcrypt"), Err(Error::UnknownAlgorithm(_))));
    }
}

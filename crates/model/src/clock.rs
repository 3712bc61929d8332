//! Where time, chance and ids come from. Code asks these instead of the system, so that tests decide both.

use uuid::Uuid;

use crate::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A source of random bytes. The production source is the operating system's cryptographic generator.
pub trait Rng: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// A new id. Version 7 (RFC 9562): it starts with the time, so that new rows land at the end of an index, and ends with
/// 74 random bits, so that it cannot be guessed.
pub fn new_id(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    let mut random = [0; 10];
    rng.fill(&mut random);
    let millis = u64::try_from(clock.now().micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A random text of `length` letters and digits (5.95 bits each), each equally likely.
pub fn random_text(rng: &dyn Rng, length: usize) -> String {
    pick(rng, ALPHANUMERIC, length)
}

/// A random text of `length` decimal digits, each equally likely.
pub fn random_digits(rng: &dyn Rng, length: usize) -> String {
    pick(rng, b"0123456789", length)
}

/// A random text of `length` lower-case letters and digits (5.16 bits each), each equally likely: easy to type in.
pub fn random_lower_case(rng: &dyn Rng, length: usize) -> String {
    pick(rng, b"abcdefghijklmnopqrstuvwxyz0123456789", length)
}

/// Rejection sampling: bytes beyond the largest multiple of the alphabet's size are thrown away, so no letter is favoured.
fn pick(rng: &dyn Rng, alphabet: &[u8], length: usize) -> String {
    let limit = 256 - 256 % alphabet.len();
    let mut out = String::with_capacity(length);
    let mut buffer = [0u8; 64];
    while out.len() < length {
        rng.fill(&mut buffer);
        for byte in buffer.iter().map(|b| usize::from(*b)).filter(|b| *b < limit).take(length - out.len()) {
            out.push(char::from(alphabet[byte % alphabet.len()]));
        }
    }
    out
}

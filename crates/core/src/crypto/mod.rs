//! Chance, keys, tokens and password hashes.
//!
//! Everything here is told its key, clock and source of chance by the caller; only [`random`] asks the system. No type of
//! this module shows a secret through `Debug`, an error or a log line. Every comparison of secrets takes the same time
//! whatever they hold.

pub mod jwk;
pub mod password;
pub mod random;
pub mod secrets;
pub mod tokens;

pub use random::{OsRng, SystemClock};
pub use secrets::{Keyring, Purpose, Secret};

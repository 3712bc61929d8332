//! What exists in Portcullis: identities, credentials, sessions, flows, user-interface nodes, messages and the rules
//! about them.
//!
//! Everything here is a pure value or a pure function. There is no I/O, no SQL and no reading of clocks: time and
//! chance come in through [`clock::Clock`] and [`clock::Rng`].

pub mod clock;
pub mod credential;
pub mod error;
pub mod flow;
pub mod identity;
pub mod json;
pub mod message;
pub mod normal;
pub mod schema;
pub mod session;
pub mod time;
pub mod ui;

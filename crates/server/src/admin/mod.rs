//! The admin API: identities, sessions, recovery, messages and calls of hooks as operators see them.
//!
//! Each handler takes the circumstances of a request and gives an answer; routes stand in `http::admin`. Whoever reaches
//! the admin listener may do all of this: it asks for no credentials and must be kept off public networks.

pub mod body;
pub mod courier;
pub mod hooks;
pub mod identities;
pub mod recovery;
pub mod sessions;
pub mod trials;

//! Flows: signing up, signing in, changing settings, recovering, verifying, signing out.
//!
//! `engine` holds what all flows share, written once; a file per flow holds its order of checks and what differs. A flow
//! never names a method or a hook: it asks the lists in [`crate::app::App`].

pub mod callback;
pub mod engine;
pub mod error;
pub mod login;
pub mod logout;
pub mod recovery;
pub mod registration;
pub mod settings;
pub mod verification;

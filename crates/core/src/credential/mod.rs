//! Ceremonies that several methods share.

pub mod address;
pub mod code;
pub mod guess;
pub mod identifier;
pub mod link;
pub mod mail_limit;
pub mod second_factor;
pub mod webauthn;

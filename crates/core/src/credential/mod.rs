//! Ceremonies that several methods share.

pub mod address;
pub mod code;
pub mod identifier;
pub mod link;
pub mod mail_limit;

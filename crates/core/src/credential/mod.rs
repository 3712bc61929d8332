//! Ceremonies that several methods share.

pub mod code;
pub mod identifier;

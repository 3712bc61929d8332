//! Ceremonies that several methods share.

pub mod code;
pub mod guess;
pub mod identifier;
pub mod second_factor;

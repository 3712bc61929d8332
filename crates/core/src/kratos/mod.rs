//! Moving in from an Ory Kratos server: its people, their credentials, and their sessions.
//!
//! An identity comes over whole, with its sessions, in one commit, under the ids that it had; so a move that was broken off
//! is simply begun again, and one that is repeated brings what changed there since. Identifiers, addresses and factors are worked out from the traits as for everybody else. What
//! cannot come is told with its reason and holds up nothing else. People stay signed in: tokens are kept as hashes like our
//! own, and a browser's old cookie is understood until it got one of ours.

mod again;
mod cipher;
pub mod cookie;
mod courier;
mod gob;
mod identity;
mod mover;

pub use mover::{Event, Extent, Group, Left, MoveError, Report, move_in};

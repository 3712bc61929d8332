//! HTTP: the two listeners, and everything between a connection and the core's plain requests and replies.
//!
//! `hyper` speaks the protocol, [`edge::Edge`] handles one request, [`public`] and [`admin`] are the tables of routes.
//! Nothing of HTTP goes below this module.

pub mod admin;
pub mod body;
pub mod client;
pub mod connection;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod edge;
pub mod extract;
pub mod health;
pub mod listen;
pub mod metrics;
pub mod negotiation;
pub mod paging;
pub mod path;
pub mod ports;
pub mod public;
pub mod reply;
pub mod room;
pub mod schemas;
pub mod sessions;
pub mod socket;
pub mod table;
pub mod tls;
pub mod view;

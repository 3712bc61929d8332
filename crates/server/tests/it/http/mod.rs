//! The HTTP edge: what holds for every route.

mod connection;
mod cookies;
mod cors;
mod doors;
mod edge;
mod health;
mod mount;
mod ports;
mod return_to;
mod slow;
mod tls;

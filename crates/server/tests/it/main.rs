//! Tests of the whole server in this process: real routes over a real database, without sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod cli;
mod concurrency;
mod courier_watch;
mod hostile;
mod http;
mod journey;
mod leaks;
mod mailbox;
mod moving;
mod pages;
mod schemas;
mod self_service;
mod sessions;
mod support;
mod takeover;
mod tidy;
mod well_known;

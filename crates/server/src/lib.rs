//! Portcullis: a server for identities and self-service user management.
//!
//! This crate is its outside: the command line, the composition of the application, the two HTTP ports with their routes,
//! the admin API and the built-in pages. What the product does lies in `portcullis-core`.

pub mod admin;
pub mod app;
pub mod build;
pub mod cli;
pub mod http;
pub mod logging;
pub mod pages;

//! What Portcullis does, free of HTTP and of SQL: flows, methods, hooks, identities, sessions, courier, configuration.
//!
//! The server turns HTTP into the plain values of this crate and back; the store keeps what this crate decides.

pub mod app;
pub mod config;
pub mod courier;
pub mod credential;
pub mod crypto;
pub mod flow;
pub mod hook;
pub mod identity;
pub mod jobs;
pub mod jsonnet;
pub mod kratos;
pub mod measure;
pub mod method;
pub mod oauth2;
pub mod oidc;
pub mod outbound;
pub mod session;

//! What people do for themselves: `/self-service`.

mod bodies;
mod errors;
mod login;
mod logout;
mod negotiation;
mod notices;
mod registration;
mod settings;
mod verification;

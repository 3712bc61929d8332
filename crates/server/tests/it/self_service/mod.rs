//! What people do for themselves: `/self-service`.

mod bodies;
mod errors;
mod login;
mod logout;
mod negotiation;
mod notices;
mod registration;
mod settings;
mod settings_acceptance;
mod settings_form;
mod settings_fresh;
mod verification;

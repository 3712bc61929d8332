//! What people do for themselves: `/self-service`.

mod bodies;
mod errors;
mod guesses;
mod login;
mod logout;
mod lookup_secret;
mod negotiation;
mod notices;
mod registration;
mod settings;
mod settings_acceptance;
mod settings_form;
mod settings_fresh;
mod settings_second_factor;
mod totp;
mod verification;

//! What people do for themselves: `/self-service`.

mod bodies;
mod errors;
mod guesses;
mod hooks;
mod hooks_owed;
mod hooks_reach;
mod login;
mod login_code;
mod logout;
mod lookup_secret;
mod negotiation;
mod notices;
mod oauth2;
mod passkey;
mod recovery;
mod recovery_by_admin;
mod recovery_choice;
mod recovery_link;
mod registration;
mod settings;
mod settings_second_factor;
mod totp;
mod used_once;
mod verification;
mod verification_link;
mod webauthn;

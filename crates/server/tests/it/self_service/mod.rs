//! What people do for themselves: `/self-service`.

mod bodies;
mod errors;
mod login;
mod login_code;
mod logout;
mod negotiation;
mod notices;
mod recovery;
mod recovery_by_admin;
mod recovery_choice;
mod recovery_link;
mod registration;
mod settings;
mod verification;
mod verification_link;

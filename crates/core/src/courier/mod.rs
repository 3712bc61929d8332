//! The courier: mails and text messages, from the decision to send one to the yes of a mail server or HTTP service.
//!
//! A flow puts a typed [`Template`] into the outbox with [`enqueue`], in the same changes as its reason; the worker
//! ([`run`]) renders and sends it. What a message says is encrypted while it waits and never logged. Operators replace
//! words by Go templates (see [`language`]).

mod backoff;
mod builtin;
mod changed;
mod compose;
mod counts;
mod desk;
mod failure;
mod gateway;
pub mod kind;
pub mod language;
mod part;
pub mod render;
mod smtp;
pub mod template;
mod view;
mod worker;

use portcullis_store::outbox::Message;

pub(crate) use backoff::{pause, postponed};
pub use changed::{Change, SettingsChanged, Told};
pub(crate) use compose::take_over;
pub use compose::{enqueue, notify, ring, send_again};
pub use counts::{Counts, Outcome};
pub use kind::Kind;
pub use render::Rendered;
pub use template::{
    AddressChanged, Circumstances, LoginCode, RecoveryCode, RecoveryLink, RegistrationCode, Template, VerificationCode,
    VerificationLink, minutes,
};
pub use view::view;
pub use worker::run;

use crate::app::Snapshot;

/// The words of a message as they would be sent now, for the development mailbox and for administrators in development
/// mode. `None` if its data cannot be opened or its kind is not known.
pub async fn preview(snapshot: &Snapshot, message: &Message) -> Option<Rendered> {
    worker::Letter::open(snapshot, message).await.ok().map(|letter| letter.words)
}

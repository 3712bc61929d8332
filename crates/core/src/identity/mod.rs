//! Identities: the schemas that they follow, what follows from their traits, how one state becomes the next, and how they
//! are shown.
//!
//! Registration, settings, the admin API and hooks all change identities through here: [`conform()`] works out everything
//! that the traits imply, and [`insert`] and [`update()`] turn the result into changes of the database. No other code
//! derives identifiers or addresses.

mod change;
mod conform;
pub mod import;
mod mask;
pub mod notice;
mod notice_changes;
mod schemas;
pub mod sealed;
mod taken;
pub mod view;

pub use change::{Difference, difference, insert, update};
pub use conform::{blank, conform};
pub use mask::masked;
pub use schemas::{Schemas, SchemasError};
pub use taken::{Taken, TakenBy, account_of_taken, conflict, taken};

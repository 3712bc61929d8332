//! `code`: one-time codes sent to an address.

mod verification;

use super::{Method, VerificationMethod};

const ID: &str = "code";

/// The method.
pub(super) struct Code;

impl Method for Code {
    fn id(&self) -> &'static str {
        ID
    }

    fn verification(&self) -> Option<&dyn VerificationMethod> {
        Some(self)
    }
}

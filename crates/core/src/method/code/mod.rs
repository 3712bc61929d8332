//! `code`: one-time codes sent to an address.

mod recovery;
mod verification;

use super::{Method, RecoveryMethod, VerificationMethod};

const ID: &str = "code";

/// The method.
pub(super) struct Code;

impl Method for Code {
    fn id(&self) -> &'static str {
        ID
    }

    fn recovery(&self) -> Option<&dyn RecoveryMethod> {
        Some(self)
    }

    fn verification(&self) -> Option<&dyn VerificationMethod> {
        Some(self)
    }
}

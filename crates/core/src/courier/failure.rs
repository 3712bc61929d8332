//! Why a message could not be sent, in two wordings: one for its history, and one for the log, which addresses and codes
//! must not reach.

use std::error::Error;
use std::time::Duration;

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Whether trying again is useless.
    pub(super) permanent: bool,
    /// Whether the mail server itself said so.
    pub(super) answered: bool,
    /// What happened, without addresses and without what the message says.
    pub(super) reason: String,
    /// What a server said, which may repeat the recipient's address.
    pub(super) detail: Option<String>,
    /// When trying is of use again, if nothing was tried.
    pub(super) later: Option<Duration>,
}

impl Failure {
    /// A failure that may pass.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { permanent: false, answered: false, reason: reason.into(), detail: None, later: None }
    }

    /// A failure that will not pass.
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self { permanent: true, ..Self::passing(reason) }
    }

    /// All of it, for the message's history.
    pub(super) fn whole(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

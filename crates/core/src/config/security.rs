//! `security`: what strangers may learn, and what identity schemas may refer to.

use std::time::Duration;

use serde::Deserialize;

use super::value::duration;

/// `security`.
#[derive(Clone, Debug, Deserialize)]
pub struct Security {
    /// What strangers may learn about accounts.
    pub account_enumeration: AccountEnumeration,
    /// How often somebody may guess.
    pub guess_limit: GuessLimit,
    /// Whether security keys and passkeys whose count of signatures went back sign nobody in, a key of our own. Otherwise
    /// they are marked and their owner is told.
    pub refuse_copied_keys: bool,
    /// Whether identity schemas may not refer to other documents.
    pub disallow_ref_in_identity_schemas: bool,
}

/// `security.account_enumeration`.
#[derive(Clone, Debug, Deserialize)]
pub struct AccountEnumeration {
    /// Whether known and unknown accounts get the same answers.
    pub mitigate: bool,
}

/// `security.guess_limit`, a key of our own: how often somebody may guess at a password or a second factor.
#[derive(Clone, Debug, Deserialize)]
pub struct GuessLimit {
    /// How many wrong guesses an account takes in a window; 0: any number.
    pub max_tries: u32,
    /// How long guesses count.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
}

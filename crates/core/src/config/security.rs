//! `security`: what strangers may learn, and what identity schemas may refer to.

use serde::Deserialize;

/// `security`.
#[derive(Clone, Debug, Deserialize)]
pub struct Security {
    /// What strangers may learn about accounts.
    pub account_enumeration: AccountEnumeration,
    /// Whether identity schemas may not refer to other documents.
    pub disallow_ref_in_identity_schemas: bool,
}

/// `security.account_enumeration`.
#[derive(Clone, Debug, Deserialize)]
pub struct AccountEnumeration {
    /// Whether known and unknown accounts get the same answers.
    pub mitigate: bool,
}

//! The script that calls the browser's Web Authentication API for our forms and those of others.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA512, digest};

use super::to_stored;

/// The script.
pub const SCRIPT: &str = include_str!("script.js");

/// Where it is: front ends know the address.
pub const SCRIPT_PATH: &str = "/.well-known/ory/webauthn.js";

/// Its digest for `integrity` (W3C, "Subresource Integrity").
#[must_use]
pub fn integrity() -> &'static str {
    static INTEGRITY: LazyLock<String> =
        LazyLock::new(|| format!("sha512-{}", to_stored(digest(&SHA512, SCRIPT.as_bytes()).as_ref())));
    &INTEGRITY
}

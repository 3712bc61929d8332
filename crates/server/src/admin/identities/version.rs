//! Versions of identities for clients that change what they read before: `ETag` and `If-Match` (RFC 9110, sections 8.8.3 and
//! 13.1.1). The reference has neither; who sends no `If-Match` meets nothing new.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_model::error::ApiError;
use portcullis_model::identity::{Identity, IdentityWithCredentials};

/// The header of a request that is to hold only for a version.
const IF_MATCH: &str = "if-match";

/// The version of an identity and of its credentials as an entity tag.
fn tag(identity: &Identity) -> String {
    format!("\"{}.{}\"", identity.version, identity.credentials_version)
}

/// A reply that shows an identity, with its version.
pub(super) fn tagged(reply: Reply, who: &IdentityWithCredentials) -> Reply {
    reply.header("etag", tag(&who.identity))
}

/// Whether the request names versions that it is to hold for.
pub(super) fn is_demanded(cx: &Cx) -> bool {
    cx.request.header(IF_MATCH).is_some()
}

/// Checks that an identity is still what the client read, if the client says what that is.
///
/// # Errors
/// 412 if it is not.
pub(super) fn check(cx: &Cx, identity: &Identity) -> Result<(), ApiError> {
    let mut lines = cx.request.headers.iter().filter(|(name, _)| name == IF_MATCH).map(|(_, value)| value).peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    let now = tag(identity);
    // Weak tags (`W/"..."`) never match here.
    if lines.flat_map(|line| line.split(',')).map(str::trim).any(|tag| tag == "*" || tag == now) {
        Ok(())
    } else {
        Err(changed())
    }
}

/// What a client is told whose version is not the present one.
pub(super) fn changed() -> ApiError {
    ApiError::new(412, "The identity was changed since it was read. Read it again and decide again.")
}

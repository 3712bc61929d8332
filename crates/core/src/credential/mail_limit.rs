//! How many codes and links are sent to one address: enough for anybody who waits for one, too few to fill a mailbox.
//!
//! What counts is who asks for which address, whether somebody owns it or not, so the limit tells nothing. It is no way to
//! lock somebody out: however many strangers ask, the first message of a window is sent for every client that asks, and
//! what was sent before stays good.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::identity::Via;
use portcullis_model::message;
use portcullis_store::{Changes, StoreError, guesses};

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// How many messages one client may have sent to one address, and in which time.
const OF_CLIENT: (u32, Duration) = (10, Duration::from_secs(10 * 60));

/// How many messages all clients together may have sent to one address, but for the first of each.
const OF_ADDRESS: (u32, Duration) = (60, Duration::from_secs(60 * 60));

/// Counts a message to an address (in normal form) that this request asks for, among the changes that send it. If it is one
/// too many the commit fails; [`or_too_many`] knows that failure.
///
/// # Errors
/// If the database fails.
pub async fn charge(cx: &Cx, changes: &mut Changes, via: Via, address: &str) -> Result<(), FlowError> {
    let own = subject(cx, &format!("{via} {address} {}", network(&cx.request.client_ip)));
    let before = guesses::get(cx.store(), &own).await.map_err(FlowError::Store)?;
    let is_first = before.is_none_or(|b| b.ends_at <= cx.now);
    let (limit, window) = OF_CLIENT;
    guesses::charge(changes, &own, cx.now, window, limit);
    let (limit, window) = OF_ADDRESS;
    let limit = if is_first { u32::MAX } else { limit };
    guesses::charge(changes, &subject(cx, &format!("{via} {address}")), cx.now, window, limit);
    Ok(())
}

/// The failure of a commit, or what the person is told if it failed since too many messages were asked for.
#[must_use]
pub fn or_too_many(error: StoreError) -> FlowError {
    match error {
        StoreError::Conflict { what: "guesses" } => FlowError::tell(message::validation::generic(
            "too many messages were sent to this address; use the last one, or try again in a few minutes",
        )),
        other => FlowError::Store(other),
    }
}

/// The name of a counter: addresses do not stand in it in clear.
fn subject(cx: &Cx, of: &str) -> String {
    format!("mail {}", URL_SAFE_NO_PAD.encode(cx.keys().token_hash(of)))
}

/// What stands for a client: its address, of which one host has many in version 6.
fn network(client_ip: &str) -> String {
    match client_ip.parse() {
        Ok(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        _ => client_ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_host_of_version_6_is_one_client_whatever_address_it_takes() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::7"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }
}

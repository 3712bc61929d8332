//! How many codes and links are sent to one address: enough for anybody who waits for one, too few to fill a mailbox.
//!
//! What counts is who asks for which address, whether somebody owns it or not, so the limit tells nothing. It is no way to
//! lock somebody out: however many strangers ask, the first message of a window is sent for every client that asks, and
//! what was sent before stays good. Notices of changes are not counted: nobody shall be able to use them up beforehand.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::identity::Via;
use portcullis_model::message::{self, Message};
use portcullis_store::{Changes, StoreError, guesses};

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// How many messages one client may have sent to one address, and in which time.
const OF_CLIENT: (u32, Duration) = (10, Duration::from_secs(10 * 60));

/// How many messages all clients together may have sent to one address, but for the first of each.
const OF_ADDRESS: (u32, Duration) = (60, Duration::from_secs(60 * 60));

/// What was counted for an address so far, for this client and for all of them.
struct Counted {
    own: String,
    all: String,
    /// Messages that this client asked for in the window that lasts; `None`: no window lasts.
    asked: Option<u64>,
}

impl Counted {
    async fn read(cx: &Cx, via: Via, address: &str) -> Result<Self, FlowError> {
        let own = subject(cx, &format!("{via} {address} {}", network(&cx.request.client_ip)));
        let all = subject(cx, &format!("{via} {address}"));
        let asked = lasting(cx, &own).await?;
        Ok(Self { own, all, asked })
    }

    /// Whether another message would be one too many.
    async fn is_full(&self, cx: &Cx) -> Result<bool, FlowError> {
        match self.asked {
            // The first message of a client's window is always sent.
            None => Ok(false),
            Some(asked) if asked >= u64::from(OF_CLIENT.0) => Ok(true),
            Some(_) => Ok(lasting(cx, &self.all).await?.is_some_and(|all| all >= u64::from(OF_ADDRESS.0))),
        }
    }

    fn charge(&self, cx: &Cx, changes: &mut Changes) {
        let (limit, window) = OF_CLIENT;
        guesses::charge(changes, &self.own, cx.now, window, limit);
        let (limit, window) = OF_ADDRESS;
        guesses::charge(changes, &self.all, cx.now, window, if self.asked.is_none() { u32::MAX } else { limit });
    }
}

/// How far a counter has come in the window that lasts; `None` if none does.
async fn lasting(cx: &Cx, subject: &str) -> Result<Option<u64>, FlowError> {
    let counted = guesses::get(cx.store(), subject).await.map_err(FlowError::Store)?;
    Ok(counted.filter(|counted| cx.now < counted.ends_at).map(|counted| counted.tries))
}

/// Counts a message to an address (in normal form) that this request asks for, among the changes that send it. If it is one
/// too many the commit fails; [`or_too_many`] knows that failure.
///
/// # Errors
/// If the database fails.
pub async fn charge(cx: &Cx, changes: &mut Changes, via: Via, address: &str) -> Result<(), FlowError> {
    Counted::read(cx, via, address).await?.charge(cx, changes);
    Ok(())
}

/// Counts a message that a flow sends on its way, without being asked for it, unless it would be one too many: then it
/// gives `false` and counts nothing, and the flow goes on without the message. When others were faster the commit is a
/// conflict, and who decides again gets `false`.
///
/// # Errors
/// If the database fails.
pub async fn charge_if_allowed(cx: &Cx, changes: &mut Changes, via: Via, address: &str) -> Result<bool, FlowError> {
    let counted = Counted::read(cx, via, address).await?;
    if counted.is_full(cx).await? {
        return Ok(false);
    }
    counted.charge(cx, changes);
    Ok(true)
}

/// What somebody is told who asked for, or would be sent, one message too many.
#[must_use]
pub fn too_many() -> Message {
    message::validation::generic("too many messages were sent to this address; use the last one, or try again in a few minutes")
}

/// The failure of a commit, or what the person is told if it failed since too many messages were asked for.
#[must_use]
pub fn or_too_many(error: StoreError) -> FlowError {
    match error {
        StoreError::Conflict { what: "guesses" } => FlowError::tell(too_many()),
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

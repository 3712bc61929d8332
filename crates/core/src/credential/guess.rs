//! Limits on guessing at passwords and second factors: every guess is charged before it is judged, so that no number of
//! guesses at once gets more than the configured tries (`security.guess_limit`).
//!
//! No limit lasts: each ends with its window, and a right guess ends it at once. Nobody is told whether an account exists:
//! guesses at unknown ones are charged alike.

use std::net::IpAddr;
use std::time::Duration;

use portcullis_model::message;
use portcullis_model::normal;
use portcullis_store::{Changes, StoreError, guesses};
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// How many times as many guesses an account takes from all addresses together...
const EVERYWHERE: u32 = 10;

/// ...in how many times as long a window.
const EVERYWHERE_WINDOWS: u32 = 12;

/// Guesses that were charged; forgotten when one of them was right.
#[must_use]
pub struct Charged(Vec<String>);

/// A counter, how far it goes, and for how long.
struct Counter {
    subject: String,
    tries: u32,
    window: Duration,
}

/// Charges a guess at a second factor to the account. Only whoever proved the first factor gets here, so strangers cannot
/// use up somebody's tries.
///
/// # Errors
/// Message 4000001 if the tries are used up.
pub async fn at_second_factor(cx: &Cx, method: &str, identity_id: Uuid) -> Result<Charged, FlowError> {
    let Some(counter) = counter(cx, format!("{method}:{identity_id}"), 1, 1) else { return Ok(Charged(Vec::new())) };
    if charge(cx, std::slice::from_ref(&counter)).await? { Ok(Charged(vec![counter.subject])) } else { Err(too_many()) }
}

/// Charges a guess at a password: to the account together with the client's address, to the flow, and to the account.
///
/// When an account's tries from everywhere are used up, each address still has one try in a window, so that strangers
/// cannot keep the owner out.
///
/// # Errors
/// Message 4000001 if the tries are used up.
pub async fn at_password(cx: &Cx, flow_id: Uuid, identity_id: Option<Uuid>, typed: &str) -> Result<Charged, FlowError> {
    let account = match identity_id {
        Some(id) => format!("password:{id}"),
        None => format!("password:{}", hex(&cx.keys().token_hash(&format!("identifier:{}", normal::identifier(typed))))),
    };
    let here = counter(cx, format!("{account}:{}", network(&cx.request.client_ip)), 1, 1);
    let flow = counter(cx, format!("password:flow:{flow_id}"), 1, 1);
    let everywhere = counter(cx, account, EVERYWHERE, EVERYWHERE_WINDOWS);
    let (Some(here), Some(flow), Some(everywhere)) = (here, flow, everywhere) else { return Ok(Charged(Vec::new())) };
    let mut counters = [here, flow, everywhere];
    if !charge(cx, &counters).await? {
        let total = &counters[2];
        let seen = guesses::get(cx.store(), &total.subject).await.map_err(FlowError::Store)?;
        if seen.is_none_or(|seen| seen.ends_at <= cx.now || seen.tries < u64::from(total.tries)) {
            return Err(too_many());
        }
        counters[0].tries = 1;
        if !charge(cx, &counters[..2]).await? {
            return Err(too_many());
        }
    }
    Ok(Charged(counters.into_iter().map(|counter| counter.subject).collect()))
}

/// Forgets guesses, after one was right, in the commit that follows from it.
pub fn forget(changes: &mut Changes, charged: &Charged) {
    for subject in &charged.0 {
        guesses::reset(changes, subject);
    }
}

/// A counter as configured, so many times as far and as long; `None` if there is no limit.
fn counter(cx: &Cx, subject: String, times: u32, windows: u32) -> Option<Counter> {
    let limit = &cx.config().security.guess_limit;
    let tries = limit.max_tries.saturating_mul(times);
    (tries > 0).then(|| Counter { subject, tries, window: limit.window.saturating_mul(windows) })
}

/// Charges all counters, or none if one of them is used up.
async fn charge(cx: &Cx, counters: &[Counter]) -> Result<bool, FlowError> {
    let mut changes = Changes::new();
    changes.durability(portcullis_store::Durability::Relaxed);
    for counter in counters {
        guesses::charge(&mut changes, &counter.subject, cx.now, counter.window, counter.tries);
    }
    match cx.store().commit(changes).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(FlowError::Store(error)),
    }
}

fn too_many() -> FlowError {
    FlowError::tell(message::validation::generic("there were too many wrong tries; wait a few minutes and try again"))
}

/// Whom an address stands for: itself, or in IPv6 the network of 64 bits that one household or server has.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Ok(IpAddr::V6(v6)) => v6.to_ipv4_mapped().map_or_else(String::new, |v4| v4.to_string()),
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        // A socket file: all its clients are one.
        Err(_) => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_address_stands_for_its_household() {
        for (address, stands_for) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
            ("2001:db8:1:2::9", "2001:db8:1:2"),
            ("", ""),
            ("somewhere", ""),
        ] {
            assert_eq!(network(address), stands_for, "{address}");
        }
    }
}

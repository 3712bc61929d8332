//! Limits on guessing at passwords and second factors (`security.guess_limit`).
//!
//! A wrong guess is charged before it is told, and a right one counts only while there are tries left: so of any number of
//! guesses at once no more than the configured tries learn anything. Right guesses cost nothing, however many come at once.
//! No limit lasts: each ends with its window, and a right guess ends it at once. Guesses at accounts that do not exist are
//! limited alike.

use std::net::IpAddr;
use std::time::Duration;

use portcullis_model::message::{self, Message};
use portcullis_model::normal;
use portcullis_store::{Changes, Durability, StoreError, guesses};
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// How many times as many guesses an account takes from all addresses together...
const EVERYWHERE: u32 = 10;

/// ...in how many times as long a window.
const EVERYWHERE_WINDOWS: u32 = 12;

/// A counter, how far it goes, and for how long.
struct Counter {
    subject: String,
    tries: u32,
    window: Duration,
}

/// A guess that may be judged: say what it came to with [`Guess::wrong`] or [`Guess::right`].
#[must_use]
pub struct Guess(Vec<Counter>);

impl Guess {
    /// A guess at a second factor, counted for the account. Only whoever proved the first factor gets here, so strangers
    /// cannot use up somebody's tries.
    ///
    /// # Errors
    /// Message 4000001 if the tries are used up.
    pub async fn at_second_factor(cx: &Cx, method: &str, identity_id: Uuid) -> Result<Self, FlowError> {
        let counters: Vec<_> = counter(cx, format!("{method}:{identity_id}"), 1, 1).into_iter().collect();
        for counter in &counters {
            if is_used_up(cx, counter).await? {
                return Err(too_many());
            }
        }
        Ok(Self(counters))
    }

    /// A guess at a password, counted for the account together with the client's address, for the flow, and for the
    /// account.
    ///
    /// When an account's tries from everywhere are used up, each address still has one try in a window, so that strangers
    /// cannot keep the owner out.
    ///
    /// # Errors
    /// Message 4000001 if the tries are used up.
    pub async fn at_password(cx: &Cx, flow_id: Uuid, identity_id: Option<Uuid>, typed: &str) -> Result<Self, FlowError> {
        let account = match identity_id {
            Some(id) => format!("password:{id}"),
            None => format!("password:{}", hex(&cx.keys().token_hash(&format!("identifier:{}", normal::identifier(typed))))),
        };
        let here = counter(cx, format!("{account}:{}", network(&cx.request.client_ip)), 1, 1);
        let flow = counter(cx, format!("password:flow:{flow_id}"), 1, 1);
        let everywhere = counter(cx, account, EVERYWHERE, EVERYWHERE_WINDOWS);
        let (Some(mut here), Some(flow), Some(everywhere)) = (here, flow, everywhere) else { return Ok(Self(Vec::new())) };
        let under_attack = is_used_up(cx, &everywhere).await?;
        if under_attack {
            here.tries = 1;
        }
        if is_used_up(cx, &here).await? || is_used_up(cx, &flow).await? {
            return Err(too_many());
        }
        Ok(Self(if under_attack { vec![here, flow] } else { vec![here, flow, everywhere] }))
    }

    /// It was wrong: charges it, then says what the person is told.
    pub async fn wrong(self, cx: &Cx, told: Message) -> FlowError {
        if self.0.is_empty() {
            return FlowError::tell(told);
        }
        let mut changes = Changes::new();
        changes.durability(Durability::Relaxed);
        for counter in &self.0 {
            guesses::charge(&mut changes, &counter.subject, cx.now, counter.window, counter.tries);
        }
        match cx.store().commit(changes).await {
            Ok(_) => FlowError::tell(told),
            // Others were faster: whether this one was wrong is not told.
            Err(StoreError::Conflict { .. }) => too_many(),
            Err(error) => FlowError::Store(error),
        }
    }

    /// It was right: what follows from it happens only if there are tries left, and the wrong ones are forgotten.
    pub fn right(self, cx: &Cx, changes: &mut Changes) {
        for counter in &self.0 {
            guesses::reset_below(changes, &counter.subject, cx.now, counter.tries);
        }
    }
}

/// A counter as configured, so many times as far and as long; `None` if there is no limit.
fn counter(cx: &Cx, subject: String, times: u32, windows: u32) -> Option<Counter> {
    let limit = &cx.config().security.guess_limit;
    let tries = limit.max_tries.saturating_mul(times);
    (tries > 0).then(|| Counter { subject, tries, window: limit.window.saturating_mul(windows) })
}

async fn is_used_up(cx: &Cx, counter: &Counter) -> Result<bool, FlowError> {
    let seen = guesses::get(cx.store(), &counter.subject).await.map_err(FlowError::Store)?;
    Ok(seen.is_some_and(|seen| cx.now < seen.ends_at && seen.tries >= u64::from(counter.tries)))
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

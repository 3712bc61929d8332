//! Trips to a provider and back.
//!
//! Whoever leaves takes a `state` along: sealed, it names the flow, the provider and the trip. The flow remembers the trip, and
//! by whom it may be ended: the browser that began it, by a hash of its cookie; or anybody with the provider's answer, if a
//! native app holds the other half of what makes a session of it. A trip ends once, and only the newest of its flow.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_model::clock::random_text;
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::message::validation;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::memory::{Alone, Arrived, Memory, Trip};
use super::{ID, provider, told};
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::crypto::Purpose;
use crate::crypto::secrets;
use crate::flow::engine::{self, FlowError, Form, Reply};
use crate::method::Standing;
use crate::oidc::{Departure, Landing, depart, is_pkce_forced, land};

/// How long a trip may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// What a form may have passed on to the provider. Anything else is dropped without a word.
const UPSTREAM: [&str; 4] = ["hd", "prompt", "auth_type", "acr_values"];

/// The longest value that is passed on.
const LONGEST_VALUE: usize = 1024;

/// What the state is sealed for, so that nothing else that is sealed is taken for one.
const SEALED_FOR: &[u8] = b"oidc state";

/// What comes back with whoever left.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    #[serde(rename = "k")]
    pub(super) kind: FlowKind,
    #[serde(rename = "f")]
    pub(super) flow_id: Uuid,
    #[serde(rename = "p")]
    provider: String,
    #[serde(rename = "t")]
    trip: String,
}

impl State {
    fn seal(&self, cx: &Cx) -> String {
        let plain = serde_json::to_vec(self).unwrap_or_default();
        cx.keys().seal_text(cx.rng(), Purpose::Cipher, SEALED_FOR, &plain)
    }

    /// The state that a request brings back. `place`: the provider that its path names.
    pub(super) fn of_request(cx: &Cx, place: Option<&str>) -> Result<Self, ApiError> {
        let none = || ApiError::bad_request("The parameter state is missing, or was not made here.");
        let text = cx.request.parameter("state").ok_or_else(none)?;
        let plain = cx.keys().open_text(Purpose::Cipher, SEALED_FOR, text).ok_or_else(none)?;
        let state: Self = serde_json::from_slice(&plain).map_err(|_| none())?;
        // One provider's answer must not pass for another one's.
        if place.is_some_and(|place| place != state.provider) {
            return Err(ApiError::bad_request("The parameter state was made for another provider."));
        }
        Ok(state)
    }
}

/// What is sent along when somebody leaves.
pub(super) struct Luggage {
    /// The traits, typed by the schema.
    pub(super) traits: Option<Value>,
    /// For hooks and mails.
    pub(super) transient_payload: Option<Value>,
    /// Whether the person is to prove themselves anew.
    pub(super) again: bool,
    /// What is passed on to the provider.
    pub(super) upstream: Vec<(String, String)>,
}

/// Sends somebody to a provider; the flow remembers the trip.
pub(super) async fn leave(cx: &Cx, flow: &mut Flow, to: &Provider, luggage: Luggage) -> Result<Reply, FlowError> {
    let id = random_text(cx.rng(), 32);
    let state = State { kind: flow.kind(), flow_id: flow.id, provider: to.id.clone(), trip: id.clone() }.seal(cx);
    let redirect_uri = redirect_uri(cx, to);
    let departure = Departure { redirect_uri: &redirect_uri, state: &state, again: luggage.again, upstream: &luggage.upstream };
    let (url, ticket) = depart(cx, to, &departure).await.map_err(|error| told(to, &error))?;
    let mut cookie = None;
    let holder = (!flow.is_native()).then(|| {
        let (holder, change) = engine::hold_trip(cx, LONGEST);
        cookie = Some(change);
        holder
    });
    let mut memory = Memory::of(flow);
    memory.arrived = None;
    memory.update = None;
    memory.trip = Some(Trip {
        id,
        provider: to.id.clone(),
        holder,
        redirect_uri,
        ticket,
        traits: luggage.traits,
        transient_payload: luggage.transient_payload,
        began_at: cx.now,
        has_ended: false,
    });
    memory.keep(flow);
    let mut reply = if engine::takes_json(cx, flow.flow_type) {
        Reply::error(
            ApiError::new(422, "The provider is asked in a browser. Send it to the address that is named.")
                .id(ErrorId::BrowserLocationChangeRequired)
                .beside("redirect_browser_to", url),
        )
    } else {
        Reply::see_other(url)
    };
    reply.cookies.extend(cookie);
    Ok(reply)
}

/// Where a provider sends people back to.
fn redirect_uri(cx: &Cx, provider: &Provider) -> String {
    let own = cx.config().selfservice.methods.oidc.config.base_redirect_uri.as_deref();
    let path = "/self-service/methods/oidc/callback";
    let common = match own {
        Some(base) => format!("{}{path}", base.trim_end_matches('/')),
        None => cx.public_url(path),
    };
    // With PKCE the provider stands in the state alone, so that one address can be registered for all.
    if is_pkce_forced(provider) {
        return common;
    }
    const SEGMENT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    format!("{common}/{}", utf8_percent_encode(&provider.id, SEGMENT))
}

/// What a form wants to be passed on.
pub(super) fn upstream(form: &Form) -> Vec<(String, String)> {
    let Some(Value::Object(given)) = form.value("upstream_parameters") else { return Vec::new() };
    let wanted = UPSTREAM.iter().filter_map(|name| Some((*name, given.get(*name)?.as_str()?)));
    let fits = |(_, value): &(&str, &str)| !value.is_empty() && value.len() <= LONGEST_VALUE;
    wanted.filter(fits).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Ends the trip of a flow, if whoever comes back may.
pub(super) fn end(cx: &Cx, flow: &mut Flow) -> Result<Standing, ApiError> {
    let nothing = || ApiError::bad_request("There is nothing to go on with: this browser did not begin it, or it took too long.");
    let state = State::of_request(cx, None)?;
    let mut memory = Memory::of(flow);
    let Some(trip) = &mut memory.trip else { return Err(nothing()) };
    let is_theirs = match &trip.holder {
        Some(holder) => engine::trip_holder(cx).is_some_and(|ours| secrets::eq(&ours, holder)),
        // Whoever ends it gets nothing but the second half of what the app needs.
        None => flow.is_native() && flow.exchange_code.is_some(),
    };
    if !is_theirs || cx.now >= trip.began_at.plus(LONGEST) {
        return Err(nothing());
    }
    if !secrets::eq(&state.trip, &trip.id) || state.provider != trip.provider {
        return Err(ApiError::bad_request("Another trip to a provider was begun after this one; only the newest counts."));
    }
    if trip.has_ended {
        return Ok(Standing::HasEnded);
    }
    trip.has_ended = true;
    memory.arrived = None;
    memory.update = None;
    if flow.kind() == FlowKind::Registration {
        memory.alone = Some(Alone { provider: trip.provider.clone(), is_known: false });
    }
    memory.keep(flow);
    Ok(Standing::Ends)
}

/// Learns who came back.
pub(super) async fn arrive(cx: &Cx, flow: &mut Flow) -> Result<(), FlowError> {
    let mut memory = Memory::of(flow);
    let Some(trip) = &memory.trip else {
        return Err(FlowError::tell(validation::generic("nobody was sent to a provider")));
    };
    let from = provider(cx, &trip.provider)?;
    let landing = Landing { query: &cx.request.query, redirect_uri: &trip.redirect_uri, ticket: &trip.ticket };
    let handed = land(cx, from, &landing).await.map_err(|error| told(from, &error))?;
    memory.arrived = Some(Arrived::of(&from.id, handed));
    memory.keep(flow);
    flow.active = Some(ID.to_owned());
    Ok(())
}

//! What a browser asks its authenticator for (W3C Web Authentication, sections 5.4 and 5.5), as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::algorithm::OFFERED;
use super::key::Key;
use super::to_url;
use crate::config::Config;
use crate::config::methods::RelyingParty;

/// How long people have where nothing is configured: five minutes...
const TIMEOUT: Duration = Duration::from_secs(300);

/// ...and two where the authenticator does not ask them for anything (section 15.1).
const SHORT_TIMEOUT: Duration = Duration::from_secs(120);

/// Whom keys are bound to.
#[derive(Clone, Debug)]
pub struct Site {
    /// The domain.
    pub id: String,
    /// Its name for people.
    pub name: String,
    origins: Vec<String>,
}

impl Site {
    /// The site as configured. Without configured origins its pages are at its domain, and at the public address of this
    /// server if that is of the domain.
    #[must_use]
    pub fn of(config: &Config, rp: &RelyingParty) -> Self {
        let mut origins: Vec<String> = rp.origins().iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        if origins.is_empty() {
            let base = config.public_base_url();
            origins.push(format!("{}://{}", base.scheme(), rp.id));
            if base.host_str().is_some_and(|host| is_within(host, &rp.id)) {
                origins.push(base.origin().ascii_serialization());
            }
        }
        Self { id: rp.id.clone(), name: rp.display_name.clone(), origins }
    }

    /// A site for tests.
    #[cfg(test)]
    pub(super) fn at(id: &str, origins: &[&str]) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), origins: origins.iter().map(|o| (*o).to_owned()).collect() }
    }

    pub(super) fn has_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

/// Whether a host is a domain or in it.
fn is_within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Whom a key is made for.
#[derive(Clone, Debug)]
pub struct User<'a> {
    /// The user handle.
    pub handle: &'a [u8],
    /// The name that authenticators show.
    pub name: &'a str,
}

/// What a new key must be like, beside its algorithm.
#[derive(Clone, Debug, Default)]
pub struct Creation<'a> {
    /// `authenticatorAttachment`, if only one kind will do.
    pub attachment: Option<&'a str>,
    /// `residentKey`, if it matters.
    pub resident_key: Option<&'a str>,
    /// `userVerification`.
    pub user_verification: &'a str,
    /// `attestation`, if anything is asked.
    pub attestation: Option<&'a str>,
    /// How long people have, if that is configured.
    pub timeout: Option<Duration>,
}

/// The options for making a key. `keys`: those that are there, so that none is made twice in one authenticator.
#[must_use]
pub fn creation<'k>(
    site: &Site,
    wish: &Creation<'_>,
    challenge: &[u8],
    user: &User<'_>,
    keys: impl Iterator<Item = Key<'k>>,
) -> Value {
    let mut selection = json!({});
    if let Some(attachment) = wish.attachment {
        selection["authenticatorAttachment"] = attachment.into();
    }
    if let Some(resident) = wish.resident_key {
        selection["requireResidentKey"] = (resident == "required").into();
        selection["residentKey"] = resident.into();
    }
    selection["userVerification"] = wish.user_verification.into();
    let mut options = json!({
        "rp": { "name": site.name, "id": site.id },
        "user": { "name": user.name, "displayName": user.name, "id": to_url(user.handle) },
        "challenge": to_url(challenge),
        "pubKeyCredParams": OFFERED.map(|alg| json!({ "type": "public-key", "alg": alg })),
        "timeout": millis(wish.timeout, wish.user_verification),
        "authenticatorSelection": selection,
    });
    if let Some(attestation) = wish.attestation {
        options["attestation"] = attestation.into();
    }
    let excluded = descriptors(keys);
    if !excluded.is_empty() {
        options["excludeCredentials"] = excluded.into();
    }
    json!({ "publicKey": options })
}

/// The options for using a key. `keys`: those that will do; none: any that the authenticator finds by itself.
#[must_use]
pub fn request<'k>(
    site: &Site,
    user_verification: &str,
    timeout: Option<Duration>,
    challenge: &[u8],
    keys: impl Iterator<Item = Key<'k>>,
) -> Value {
    let mut options = json!({
        "challenge": to_url(challenge),
        "timeout": millis(timeout, user_verification),
        "rpId": site.id,
        "userVerification": user_verification,
    });
    let allowed = descriptors(keys);
    if !allowed.is_empty() {
        options["allowCredentials"] = allowed.into();
    }
    json!({ "publicKey": options })
}

fn millis(configured: Option<Duration>, user_verification: &str) -> u64 {
    let usual = if user_verification == "discouraged" { SHORT_TIMEOUT } else { TIMEOUT };
    u64::try_from(configured.unwrap_or(usual).as_millis()).unwrap_or(u64::MAX)
}

fn descriptors<'k>(keys: impl Iterator<Item = Key<'k>>) -> Vec<Value> {
    keys.filter_map(|key| {
        let mut descriptor = json!({ "type": "public-key", "id": to_url(&key.id()?) });
        let transports = key.transports();
        if !transports.is_empty() {
            descriptor["transports"] = transports.into();
        }
        Some(descriptor)
    })
    .collect()
}

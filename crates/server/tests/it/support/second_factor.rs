//! Authenticator apps and backup codes, as people have them.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{Answer, Form, Spa, TestApp};

/// A configuration with both kinds of second factors.
pub(crate) fn second_factors() -> Value {
    json!({ "selfservice": { "methods": { "totp": { "enabled": true }, "lookup_secret": { "enabled": true } } } })
}

/// An authenticator app on somebody's phone, whose clock is right.
#[derive(Clone)]
pub(crate) struct Authenticator {
    /// The secret, as it was shown.
    pub(crate) secret: String,
}

impl Authenticator {
    /// With the secret that a form shows.
    pub(crate) fn reading(form: &Answer) -> Self {
        let key = node(form, "totp_secret_key");
        let secret = key["text"]["context"]["secret"].as_str().unwrap_or_else(|| panic!("no secret: {form:?}"));
        Self { secret: secret.to_owned() }
    }

    /// The code of a step of 30 seconds, counted from the present one (RFC 6238).
    pub(crate) fn code(&self, app: &TestApp, steps: i64) -> String {
        let counter = app.app.clock.now().seconds() / 30 + steps;
        let key = BASE32_NOPAD.decode(self.secret.as_bytes()).unwrap();
        let mac = Hmac::<Sha1>::new_from_slice(&key).unwrap().chain_update(counter.to_be_bytes()).finalize().into_bytes();
        let at = usize::from(mac[19] & 15);
        let number = u32::from_be_bytes([mac[at] & 127, mac[at + 1], mac[at + 2], mac[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }

    /// Six digits that are no code around now.
    pub(crate) fn wrong(&self, app: &TestApp) -> String {
        let near: Vec<_> = (-3..4).map(|steps| self.code(app, steps)).collect();
        (0..8).map(|digit| digit.to_string().repeat(6)).find(|code| !near.contains(code)).unwrap()
    }

    /// Links an app in a settings flow of its own; then time passes, so that its next code is another.
    pub(crate) async fn link(app: &TestApp, spa: &mut Spa<'_>) -> Self {
        let shown = spa.get("/self-service/settings/browser").await;
        let device = Self::reading(&shown);
        let code = json!({ "method": "totp", "totp_code": device.code(app, 0) });
        let linked = spa.submit(&Form::of(&shown), code).await;
        assert_eq!(linked.status, 200, "{linked:?}");
        app.wait(30);
        device
    }

    /// Proves it, as the second step of signing in; then time passes.
    pub(crate) async fn prove(&self, app: &TestApp, spa: &mut Spa<'_>, query: &str) -> Answer {
        let form = Form::of(&spa.get(&format!("/self-service/login/browser?aal=aal2{query}")).await);
        let answer = spa.submit(&form, json!({ "method": "totp", "totp_code": self.code(app, 0) })).await;
        app.wait(30);
        answer
    }
}

/// Makes backup codes in a settings flow of its own and confirms them.
pub(crate) async fn backup_codes(spa: &mut Spa<'_>) -> Vec<String> {
    let form = spa.open("settings").await;
    let shown = spa.submit(&form, json!({ "lookup_secret_regenerate": true })).await;
    let codes = listed(&shown).into_iter().flatten().collect();
    let confirmed = spa.submit(&form, json!({ "lookup_secret_confirm": true })).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    codes
}

/// The backup codes that a form shows; `None` in place of those that were used.
pub(crate) fn listed(form: &Answer) -> Vec<Option<String>> {
    let codes = node(form, "lookup_secret_codes")["text"]["context"]["secrets"].as_array().cloned().unwrap_or_default();
    codes.iter().map(|code| code["context"]["secret"].as_str().map(str::to_owned)).collect()
}

/// The attributes of a node by its id.
fn node(form: &Answer, id: &str) -> Value {
    let nodes = form.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
    nodes.into_iter().map(|n| n["attributes"].clone()).find(|a| a["id"] == id).unwrap_or_default()
}

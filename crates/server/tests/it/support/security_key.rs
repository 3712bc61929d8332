//! An authenticator in software: it answers what a form asks as a browser with a security key or passkey would.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Answer, Form, Spa};

/// The origin of the pages where keys are used.
pub(crate) const ORIGIN: &str = "https://id.example.org";

/// The site that keys are bound to.
fn site() -> Value {
    json!({ "id": "example.org", "display_name": "Example", "origins": [ORIGIN] })
}

/// A configuration with security keys as second factor, or alone, and passkeys.
pub(crate) fn keys(passwordless: bool) -> Value {
    json!({
        "selfservice": {
            "methods": {
                "totp": { "enabled": true },
                "webauthn": { "enabled": true, "config": { "passwordless": passwordless, "rp": site() } },
                "passkey": { "enabled": true, "config": { "rp": site() } },
            },
            "flows": {
                "registration": {
                    "after": {
                        "webauthn": { "hooks": [{ "hook": "session" }] },
                        "passkey": { "hooks": [{ "hook": "session" }] },
                    },
                },
            },
        },
    })
}

/// What a form asks of the authenticator, by the name of the node.
pub(crate) fn asked(form: &Answer, node: &str) -> Value {
    let value = form.field(node).unwrap_or_else(|| panic!("no {node}: {form:?}"));
    let options: Value = serde_json::from_str(value.as_str().unwrap()).unwrap();
    options.get("credentialOptions").unwrap_or(&options)["publicKey"].clone()
}

fn url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One key in an authenticator, and how it is held wrong.
pub(crate) struct SecurityKey {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    user_handle: Option<String>,
    /// How often it says that it signed; it counts by itself.
    pub(crate) count: u32,
    /// The flags that it tells: touched and verified, and whether it is copied.
    pub(crate) flags: u8,
    /// The origin that the browser tells.
    pub(crate) origin: &'static str,
    /// Whether the page was inside another site's.
    pub(crate) cross_origin: bool,
}

impl SecurityKey {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = digest(&SHA256, pair.public_key().as_ref()).as_ref().to_vec();
        Self { pair, id, user_handle: None, count: 0, flags: 0x05, origin: ORIGIN, cross_origin: false }
    }

    /// The id as remove buttons have it.
    pub(crate) fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.id)
    }

    /// Takes another key's user handle for its own.
    pub(crate) fn pretend_to_be(&mut self, other: &Self) {
        self.user_handle.clone_from(&other.user_handle);
    }

    fn client(&self, ceremony: &str, options: &Value) -> Vec<u8> {
        json!({ "type": ceremony, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": self.cross_origin })
            .to_string()
            .into_bytes()
    }

    fn data(&mut self, site: &str, more: u8, tail: &[u8]) -> Vec<u8> {
        self.count += 1;
        [digest(&SHA256, site.as_bytes()).as_ref(), &[self.flags | more], &self.count.to_be_bytes(), tail].concat()
    }

    /// Makes the key, as options ask.
    pub(crate) fn make(&mut self, options: &Value) -> String {
        self.user_handle = options["user"]["id"].as_str().map(str::to_owned);
        let point = &self.pair.public_key().as_ref()[1..];
        // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        let cose = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &point[..32], &[0x22, 0x58, 32], &point[32..]].concat();
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let attested = [&[0; 16][..], &length, &self.id, &cose].concat();
        let data = self.data(options["rp"]["id"].as_str().unwrap(), 0x40, &attested);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let head =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".as_slice(), &u16::try_from(data.len()).unwrap().to_be_bytes()];
        let object = [head.concat(), data].concat();
        self.answer(json!({
            "clientDataJSON": url(&self.client("webauthn.create", options)),
            "attestationObject": url(&object),
            "transports": ["usb"],
        }))
    }

    /// Uses the key, as options ask.
    pub(crate) fn prove(&mut self, options: &Value) -> String {
        let data = self.data(options["rpId"].as_str().unwrap(), 0, &[]);
        let client = self.client("webauthn.get", options);
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        self.answer(json!({
            "clientDataJSON": url(&client),
            "authenticatorData": url(&data),
            "signature": url(signature.as_ref()),
            "userHandle": self.user_handle,
        }))
    }

    fn answer(&self, response: Value) -> String {
        json!({ "id": url(&self.id), "rawId": url(&self.id), "type": "public-key", "response": response }).to_string()
    }

    /// Adds itself as a security key in a settings form.
    pub(crate) async fn add(&mut self, spa: &mut Spa<'_>, name: &str) -> Answer {
        let shown = spa.get("/self-service/settings/browser").await;
        let made = self.make(&asked(&shown, "webauthn_register_trigger"));
        spa.submit(&Form::of(&shown), json!({ "webauthn_register": made, "webauthn_register_displayname": name })).await
    }

    /// Adds itself as a passkey in a settings form.
    pub(crate) async fn add_passkey(&mut self, spa: &mut Spa<'_>) -> Answer {
        let shown = spa.get("/self-service/settings/browser").await;
        let made = self.make(&asked(&shown, "passkey_create_data"));
        spa.submit(&Form::of(&shown), json!({ "passkey_settings_register": made })).await
    }

    /// Answers the form of a second step.
    pub(crate) async fn step_up(&mut self, spa: &mut Spa<'_>, shown: &Answer) -> Answer {
        let said = self.prove(&asked(shown, "webauthn_login_trigger"));
        let fields = json!({ "method": "webauthn", "webauthn_login": said, "identifier": shown.field("identifier") });
        spa.submit(&Form::of(shown), fields).await
    }

    /// Signs in as a passkey.
    pub(crate) async fn sign_in(&mut self, spa: &mut Spa<'_>) -> Answer {
        let shown = spa.get("/self-service/login/browser").await;
        let said = self.prove(&asked(&shown, "passkey_challenge"));
        spa.submit(&Form::of(&shown), json!({ "method": "passkey", "passkey_login": said })).await
    }
}

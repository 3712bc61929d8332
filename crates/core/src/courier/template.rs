//! What each kind of message says: its data, typed, from which the outbox row and later the words are made.
//!
//! The data's names are those of the API's `template_data`; templates see them in Go's spelling (`recovery_url` is
//! `.RecoveryURL`). A message is rendered when it is sent, so a template that was mended meanwhile counts.

use std::time::Duration;

use portcullis_model::identity::Via;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::changed::SettingsChanged;
use super::kind::Kind;

/// A message with what it says.
#[derive(Clone, PartialEq)]
pub enum Template {
    /// [`Kind::RecoveryValid`].
    RecoveryValid(RecoveryLink),
    /// [`Kind::RecoveryInvalid`].
    RecoveryInvalid(Circumstances),
    /// [`Kind::RecoveryCodeValid`].
    RecoveryCodeValid(RecoveryCode),
    /// [`Kind::RecoveryCodeInvalid`].
    RecoveryCodeInvalid(Circumstances),
    /// [`Kind::VerificationValid`].
    VerificationValid(VerificationLink),
    /// [`Kind::VerificationInvalid`].
    VerificationInvalid(Circumstances),
    /// [`Kind::VerificationCodeValid`].
    VerificationCodeValid(VerificationCode),
    /// [`Kind::VerificationCodeInvalid`].
    VerificationCodeInvalid(Circumstances),
    /// [`Kind::LoginCodeValid`].
    LoginCodeValid(LoginCode),
    /// [`Kind::RegistrationCodeValid`].
    RegistrationCodeValid(RegistrationCode),
    /// [`Kind::VerifiableAddressChanged`].
    VerifiableAddressChanged(AddressChanged),
    /// [`Kind::SettingsChanged`].
    SettingsChanged(SettingsChanged),
}

/// What every message can tell: which request made it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// The URL that started the flow.
    pub request_url: String,
    /// What the client sent along for templates and hooks; an empty object if nothing.
    pub transient_payload: Value,
    /// The OAuth2 login that the flow belongs to, as templates see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2_login_request: Option<Value>,
}

impl Circumstances {
    /// The circumstances: the URL that started the flow and the payload of the request that sends. A payload that is no
    /// object counts as none.
    #[must_use]
    pub fn new(request_url: impl Into<String>, transient_payload: Option<&Value>) -> Self {
        let payload = transient_payload.filter(|p| p.is_object()).cloned().unwrap_or_else(|| json!({}));
        Self { request_url: request_url.into(), transient_payload: payload, oauth2_login_request: None }
    }
}

/// How long a code or link is good, as messages tell it: in whole minutes, never less than one.
#[must_use]
pub fn minutes(lifespan: Duration) -> u64 {
    (lifespan.as_secs() / 60).max(1)
}

/// A recovery link.
#[derive(Clone, PartialEq, Serialize)]
pub struct RecoveryLink {
    /// The link, whole.
    pub recovery_url: String,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// The identity as the API shows it.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// A recovery code.
#[derive(Clone, PartialEq, Serialize)]
pub struct RecoveryCode {
    /// The code.
    pub recovery_code: String,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// The identity as the API shows it.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// A verification link.
#[derive(Clone, PartialEq, Serialize)]
pub struct VerificationLink {
    /// The link, whole.
    pub verification_url: String,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// The identity as the API shows it.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// A verification code.
#[derive(Clone, PartialEq, Serialize)]
pub struct VerificationCode {
    /// The code.
    pub verification_code: String,
    /// A link that fills in the code; text messages go without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_url: Option<String>,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// The identity as the API shows it.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// A code to sign in with.
#[derive(Clone, PartialEq, Serialize)]
pub struct LoginCode {
    /// The code.
    pub login_code: String,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// The identity as the API shows it.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// A code to sign up with.
#[derive(Clone, PartialEq, Serialize)]
pub struct RegistrationCode {
    /// The code.
    pub registration_code: String,
    /// See [`minutes`].
    pub expires_in_minutes: u64,
    /// What was filled in. There is no identity yet.
    pub traits: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

/// Somebody's addresses changed.
#[derive(Clone, PartialEq, Serialize)]
pub struct AddressChanged {
    /// The identity, as the API shows it, after the change.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

impl Template {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::RecoveryValid(_) => Kind::RecoveryValid,
            Self::RecoveryInvalid(_) => Kind::RecoveryInvalid,
            Self::RecoveryCodeValid(_) => Kind::RecoveryCodeValid,
            Self::RecoveryCodeInvalid(_) => Kind::RecoveryCodeInvalid,
            Self::VerificationValid(_) => Kind::VerificationValid,
            Self::VerificationInvalid(_) => Kind::VerificationInvalid,
            Self::VerificationCodeValid(_) => Kind::VerificationCodeValid,
            Self::VerificationCodeInvalid(_) => Kind::VerificationCodeInvalid,
            Self::LoginCodeValid(_) => Kind::LoginCodeValid,
            Self::RegistrationCodeValid(_) => Kind::RegistrationCodeValid,
            Self::VerifiableAddressChanged(_) => Kind::VerifiableAddressChanged,
            Self::SettingsChanged(_) => Kind::SettingsChanged,
        }
    }

    /// The message's `template_data`, which differs a little between the channels.
    #[must_use]
    pub fn data(&self, via: Via, recipient: &str) -> Map<String, Value> {
        let data = match self {
            Self::RecoveryValid(data) => serde_json::to_value(data),
            Self::RecoveryCodeValid(data) => serde_json::to_value(data),
            Self::VerificationValid(data) => serde_json::to_value(data),
            Self::VerificationCodeValid(data) => serde_json::to_value(data),
            Self::LoginCodeValid(data) => serde_json::to_value(data),
            Self::RegistrationCodeValid(data) => serde_json::to_value(data),
            Self::VerifiableAddressChanged(data) => serde_json::to_value(data),
            Self::SettingsChanged(data) => serde_json::to_value(data),
            Self::RecoveryInvalid(data)
            | Self::RecoveryCodeInvalid(data)
            | Self::VerificationInvalid(data)
            | Self::VerificationCodeInvalid(data) => serde_json::to_value(data),
        };
        // Structs of texts, numbers and JSON always become an object.
        let mut data = match data {
            Ok(Value::Object(data)) => data,
            _ => Map::new(),
        };
        data.insert("to".into(), recipient.into());
        if via == Via::Sms {
            data.shift_remove("verification_url");
            if let Some(domain) = data.get("request_url").and_then(Value::as_str).and_then(domain) {
                data.insert("request_url_domain".into(), domain.into());
            }
            // Gateways written for the record look for a recovery code under this name.
            if let Some(code) = data.get("recovery_code").cloned() {
                data.insert("verification_code".into(), code);
            }
            if let Some(traits) = data.get("traits").cloned() {
                data.insert("identity".into(), json!({ "traits": traits }));
            }
        }
        data
    }
}

/// The host of a URL, without its port.
pub(super) fn domain(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// One message of each kind, with made-up data.
#[cfg(test)]
pub(super) mod samples {
    use portcullis_model::time::Timestamp;

    use super::super::changed::{Change, Told};
    use super::*;

    pub(in super::super) fn all() -> Vec<Template> {
        let circumstances = Circumstances::new("https://id.example.org/self-service/x/browser", Some(&json!({"k": "v"})));
        let identity = json!({"id": "0190", "schema_id": "default", "traits": {"email": "ada@example.org"}});
        let (expires_in_minutes, c, i) = (60, || circumstances.clone(), || identity.clone());
        vec![
            Template::RecoveryValid(RecoveryLink {
                recovery_url: "https://id.example.org/self-service/recovery?flow=1&token=abc".into(),
                expires_in_minutes,
                identity: i(),
                circumstances: c(),
            }),
            Template::RecoveryInvalid(c()),
            Template::RecoveryCodeValid(RecoveryCode {
                recovery_code: "314159".into(),
                expires_in_minutes,
                identity: i(),
                circumstances: c(),
            }),
            Template::RecoveryCodeInvalid(c()),
            Template::VerificationValid(VerificationLink {
                verification_url: "https://id.example.org/self-service/verification?flow=1&token=abc".into(),
                expires_in_minutes,
                identity: i(),
                circumstances: c(),
            }),
            Template::VerificationInvalid(c()),
            Template::VerificationCodeValid(VerificationCode {
                verification_code: "314159".into(),
                verification_url: Some("https://id.example.org/self-service/verification?flow=1&code=314159".into()),
                expires_in_minutes,
                identity: i(),
                circumstances: c(),
            }),
            Template::VerificationCodeInvalid(c()),
            Template::LoginCodeValid(LoginCode {
                login_code: "314159".into(),
                expires_in_minutes,
                identity: i(),
                circumstances: c(),
            }),
            Template::RegistrationCodeValid(RegistrationCode {
                registration_code: "314159".into(),
                expires_in_minutes,
                traits: json!({"email": "ada@example.org"}),
                circumstances: c(),
            }),
            Template::VerifiableAddressChanged(AddressChanged { identity: i(), circumstances: c() }),
            Template::SettingsChanged(SettingsChanged {
                changes: vec![
                    Change::Password.into(),
                    Told { change: Change::AddressAdded, address: Some("ad****@example.org".into()) },
                ],
                changed_at: Timestamp::from_seconds(1_700_000_000),
                client_ip: "192.0.2.7".into(),
                user_agent: "Browser <1>".into(),
                location: "Berlin, DE".into(),
                by_administrator: false,
                recovery_url: Some("https://id.example.org/self-service/recovery/browser".into()),
                settings_url: None,
                identity: i(),
                circumstances: c(),
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_sample_of_each_kind() {
        assert_eq!(samples::all().iter().map(Template::kind).collect::<Vec<_>>(), Kind::ALL);
    }

    #[test]
    fn data_is_what_gateways_know() {
        for template in samples::all() {
            let mail = template.data(Via::Email, "ada@example.org");
            assert_eq!(mail.get("to"), Some(&json!("ada@example.org")));
            assert!(mail.contains_key("request_url") && mail.contains_key("transient_payload"));
            assert!(!mail.contains_key("request_url_domain") && !mail.contains_key("oauth2_login_request"));
            let sms = template.data(Via::Sms, "+4915112345678");
            assert_eq!(sms.get("request_url_domain"), Some(&json!("id.example.org")));
        }
        let recovery = samples::all().into_iter().find(|t| t.kind() == Kind::RecoveryCodeValid).expect("a sample");
        let sms = recovery.data(Via::Sms, "+4915112345678");
        assert_eq!((sms.get("verification_code"), sms.get("recovery_code")), (Some(&json!("314159")), Some(&json!("314159"))));
    }

    #[test]
    fn lengths_of_time_are_told_in_minutes() {
        for (seconds, told) in [(5, 1), (60, 1), (119, 1), (5400, 90)] {
            assert_eq!(minutes(Duration::from_secs(seconds)), told);
        }
    }
}

//! The marks by which a schema says what traits are for: the key `ory.sh/kratos` beside `type` and `format`.
//!
//! A mark makes a trait an identifier, a name to show, an address to verify or an address for recovery. What the traits of
//! an identity come to is derived from them by [`IdentitySchema::derive`], in the schema's order and in normal form.

use serde::Deserialize;
use serde_json::Value;

use super::{IdentitySchema, SchemaError};
use crate::credential::CredentialType;
use crate::identity::Via;
use crate::message::{Message, label};
use crate::normal;

/// The key under which the marks stand.
pub(super) const EXTENSION: &str = "ory.sh/kratos";

/// The formats that a trait whose address can be verified may have.
const VERIFIABLE_FORMATS: [&str; 6] = ["email", "tel", "date", "time", "date-time", "no-validate"];

/// What a trait is marked as.
#[derive(Debug, Default, Clone)]
pub(super) struct Marks {
    pub(super) password: bool,
    pub(super) webauthn: bool,
    pub(super) code: Option<Via>,
    pub(super) passkey_display_name: bool,
    pub(super) totp_account_name: bool,
    pub(super) verification: Option<Via>,
    pub(super) recovery: Option<Via>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    credentials: WrittenCredentials,
    verification: WrittenVia,
    recovery: WrittenVia,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WrittenCredentials {
    password: WrittenIdentifier,
    webauthn: WrittenIdentifier,
    code: WrittenIdentifier,
    passkey: WrittenName,
    totp: WrittenName,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WrittenIdentifier {
    identifier: bool,
    via: Option<Via>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WrittenName {
    display_name: bool,
    account_name: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WrittenVia {
    via: Option<Via>,
}

impl Marks {
    /// Reads the value of the extension key of a trait of the given format.
    pub(super) fn read(value: &Value, format: Option<&str>, node: &str) -> Result<Self, SchemaError> {
        let written: Written = serde_json::from_value(value.clone())
            .map_err(|e| SchemaError::Extension { node: node.to_owned(), reason: e.to_string() })?;
        let credentials = written.credentials;
        if let (Some(_), Some(format)) = (written.verification.via, format)
            && !VERIFIABLE_FORMATS.contains(&format)
        {
            return Err(SchemaError::Verification { node: node.to_owned(), format: format.to_owned() });
        }
        let usual = if format == Some("tel") { Via::Sms } else { Via::Email };
        Ok(Self {
            password: credentials.password.identifier,
            webauthn: credentials.webauthn.identifier,
            code: credentials.code.identifier.then(|| credentials.code.via.unwrap_or(usual)),
            passkey_display_name: credentials.passkey.display_name,
            totp_account_name: credentials.totp.account_name,
            verification: written.verification.via,
            recovery: written.recovery.via,
        })
    }

    /// The channels by which the trait's value is written to.
    pub(super) fn channels(&self) -> impl Iterator<Item = Via> {
        [self.code, self.verification, self.recovery].into_iter().flatten()
    }

    fn names_somebody(&self) -> bool {
        self.password || self.webauthn || self.code.is_some() || self.passkey_display_name || self.totp_account_name
    }
}

/// What the traits of an identity come to. Lists are in the schema's order, without duplicates, in normal form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// Identifiers of the password credential.
    pub password: Vec<String>,
    /// Identifiers of the security-key credential.
    pub webauthn: Vec<String>,
    /// Addresses of the one-time-code credential; their values are its identifiers.
    pub code: Vec<(Via, String)>,
    /// The name that an authenticator shows for a passkey, as it was typed.
    pub passkey_display_name: Option<String>,
    /// The name that an authenticator app shows, as it was typed.
    pub totp_account_name: Option<String>,
    /// Addresses whose ownership can be proved.
    pub verifiable: Vec<(Via, String)>,
    /// Addresses for recovery.
    pub recovery: Vec<(Via, String)>,
}

impl Derived {
    /// The identifiers of a type of credential that takes them from the traits; none for other types.
    #[must_use]
    pub fn identifiers(&self, kind: CredentialType) -> Vec<&str> {
        match kind {
            CredentialType::Password => self.password.iter().map(String::as_str).collect(),
            CredentialType::Webauthn => self.webauthn.iter().map(String::as_str).collect(),
            CredentialType::Code => self.code.iter().map(|(_, value)| value.as_str()).collect(),
            _ => Vec::new(),
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

impl IdentitySchema {
    /// What the traits come to: identifiers, names and addresses. Empty texts count as absent.
    #[must_use]
    pub fn derive(&self, traits: &Value) -> Derived {
        let mut out = Derived::default();
        self.shape.visit("traits", traits, &mut |shape, value, _| {
            let text = match value {
                Value::String(text) => text.clone(),
                // Customer numbers and the like.
                Value::Number(number) => number.to_string(),
                _ => return,
            };
            let marks = &shape.marks;
            let identifier = normal::identifier(&text);
            if identifier.is_empty() {
                return;
            }
            if marks.password {
                add(&mut out.password, identifier.clone());
            }
            if marks.webauthn {
                add(&mut out.webauthn, identifier);
            }
            for (via, list) in
                [(marks.code, &mut out.code), (marks.verification, &mut out.verifiable), (marks.recovery, &mut out.recovery)]
            {
                if let Some(via) = via {
                    add(list, (via, normal::address(via, &text)));
                }
            }
            if marks.passkey_display_name && out.passkey_display_name.is_none() {
                out.passkey_display_name = Some(text.clone());
            }
            if marks.totp_account_name && out.totp_account_name.is_none() {
                out.totp_account_name = Some(text);
            }
        });
        out
    }

    /// Rewrites phone numbers that are written to (code, verification, recovery by text message) to E.164. Everything else
    /// stays as it was typed.
    pub fn normalise_phone_traits(&self, traits: &mut Value) {
        self.shape.visit_texts(traits, &mut |shape, text| {
            if shape.marks.channels().any(|via| via == Via::Sms)
                && let Some(number) = normal::phone(text)
            {
                *text = number;
            }
        });
    }

    /// The types of credentials that take identifiers from the traits, in the order password, webauthn, code.
    #[must_use]
    pub fn identifier_types(&self) -> Vec<CredentialType> {
        let (mut password, mut webauthn, mut code) = (false, false, false);
        self.shape.each("traits", &mut |shape, _| {
            password |= shape.marks.password;
            webauthn |= shape.marks.webauthn;
            code |= shape.marks.code.is_some();
        });
        [(password, CredentialType::Password), (webauthn, CredentialType::Webauthn), (code, CredentialType::Code)]
            .into_iter()
            .filter_map(|(named, kind)| named.then_some(kind))
            .collect()
    }

    /// The label of the field that somebody signs in with: the title of the only trait that names a person, or a general
    /// label where there are several, none, or one without title.
    #[must_use]
    pub fn identifier_label(&self) -> Message {
        let mut named: Vec<(String, Option<&str>)> = Vec::new();
        self.shape.each("traits", &mut |shape, node| {
            if shape.marks.names_somebody() && !named.iter().any(|(known, _)| known == node) {
                named.push((node.to_owned(), shape.first(|s| s.title.as_deref())));
            }
        });
        match named.as_slice() {
            [(node, Some(title))] => label::trait_title(title, node),
            _ => label::identifier(),
        }
    }

    /// The fields that a page may take a passkey's name from, sorted: traits marked as passkey display name or as webauthn
    /// identifier.
    #[must_use]
    pub fn passkey_name_fields(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.shape.each("traits", &mut |shape, node| {
            if shape.marks.passkey_display_name || shape.marks.webauthn {
                add(&mut out, node.to_owned());
            }
        });
        out.sort();
        out
    }
}

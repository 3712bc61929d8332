//! Credentials that an administrator brings along with an identity.
//!
//! Three steps, so that nothing slow happens between reading an identity and writing it: [`read`] understands the body,
//! [`Import::prepare`] hashes clear passwords, and [`Prepared::apply_to`] lays the result over an identity, new or stored.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::conform::CREDENTIAL_VERSION;
use super::sealed;
use crate::app::Cx;
use crate::crypto::Secret;
use crate::crypto::password::{Client, PoolError, StoredHash};

/// Why credentials cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The body does not have the right shape.
    #[error("credentials: {0}")]
    Shape(String),
    /// A member that imports do not know.
    #[error("credentials: unknown member {0:?}")]
    Unknown(String),
    /// A password credential says nothing.
    #[error("credentials.password.config needs password, hashed_password or use_password_migration_hook")]
    NoPassword,
    /// A hash of an unknown make, unreadable, or too expensive to verify.
    #[error("credentials.password.config.hashed_password: {0}")]
    Hash(String),
    /// A clear password that the configured hasher cannot take.
    #[error("credentials.password.config.password: {0}")]
    Password(String),
    /// A passkey credential without user handle or without keys.
    #[error("credentials.passkey.config needs a user_handle and at least one key")]
    Passkey,
    /// Too many passwords are being hashed; the client may try again.
    #[error("too many passwords are being hashed at the moment")]
    Busy,
}

/// Whether members that imports do not know are refused or passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// They are refused.
    Refused,
    /// They are passed over.
    Ignored,
    /// They are refused, but for the providers' tokens that an export of our own holds.
    OwnExport,
}

/// The tokens of a social link.
const TOKENS: [&str; 3] = ["initial_id_token", "initial_access_token", "initial_refresh_token"];

type Rest = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Config<T> {
    config: Option<T>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default, Deserialize)]
struct RawPassword {
    password: Option<String>,
    hashed_password: Option<String>,
    use_password_migration_hook: Option<bool>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default, Deserialize)]
struct RawLinks {
    providers: Option<Vec<RawLink>>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct RawLink {
    provider: String,
    subject: String,
    organization: Option<Uuid>,
    use_auto_link: Option<bool>,
    /// In the order of [`TOKENS`]; in clear.
    #[serde(skip)]
    tokens: [String; 3],
    #[serde(flatten)]
    rest: Rest,
}

impl RawLink {
    fn take_tokens(&mut self) {
        for (name, token) in TOKENS.iter().zip(&mut self.tokens) {
            if let Some(Value::String(text)) = self.rest.remove(*name) {
                *token = text;
            }
        }
    }
}

#[derive(Default, Deserialize)]
struct RawTotp {
    totp_url: Option<String>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default, Deserialize)]
struct RawCodes {
    codes: Option<Vec<RawCode>>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct RawCode {
    code: String,
    used_at: Option<Timestamp>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Default, Deserialize)]
struct RawKeys {
    credentials: Option<Vec<Map<String, Value>>>,
    user_handle: Option<String>,
    #[serde(flatten)]
    rest: Rest,
}

/// The members of a security key or passkey.
const KEY_MEMBERS: [&str; 10] = [
    "id",
    "public_key",
    "attestation_type",
    "authenticator",
    "display_name",
    "added_at",
    "is_passwordless",
    "flags",
    "attestation",
    "transport",
];

#[derive(Default, Deserialize)]
struct Raw {
    password: Option<Config<RawPassword>>,
    oidc: Option<Config<RawLinks>>,
    saml: Option<Config<RawLinks>>,
    totp: Option<Config<RawTotp>>,
    lookup_secret: Option<Config<RawCodes>>,
    webauthn: Option<Config<RawKeys>>,
    passkey: Option<Config<RawKeys>>,
    #[serde(flatten)]
    rest: Rest,
}

/// What an import says about the password.
enum Password {
    /// Another system knows it and is asked at the first sign-in.
    Hook,
    /// In clear, to be hashed.
    Clear(Secret),
    /// A hash, kept as it is until the first sign-in.
    Hashed(String),
}

/// The keys of a WebAuthn or passkey credential.
struct Keys {
    keys: Vec<Map<String, Value>>,
    user_handle: Option<String>,
}

/// Understood credentials, passwords still in clear.
#[derive(Default)]
pub struct Import {
    password: Option<Password>,
    links: Vec<(CredentialType, Vec<RawLink>)>,
    totp_url: Option<String>,
    codes: Option<Vec<RawCode>>,
    webauthn: Option<Keys>,
    passkey: Option<Keys>,
}

/// Understands the member `credentials` of a body. Null is nothing.
///
/// # Errors
/// If the shape is wrong, a hash is of no known make or beyond its bounds, or something that a type needs is missing.
pub fn read(credentials: Option<&Value>, unknown: Unknown) -> Result<Import, ImportError> {
    let Some(value) = credentials.filter(|v| !v.is_null()) else { return Ok(Import::default()) };
    // The error's own text quotes values, and these are secrets.
    let raw =
        Raw::deserialize(value).map_err(|_| ImportError::Shape("a member is missing or is not of the right type".to_owned()))?;
    let strict = Strict(unknown != Unknown::Ignored);
    strict.check(&raw.rest)?;
    let mut import = Import::default();
    if let Some(config) = strict.config(raw.password)? {
        strict.check(&config.rest)?;
        import.password = Some(read_password(config)?);
    }
    for (kind, raw) in [(CredentialType::Oidc, raw.oidc), (CredentialType::Saml, raw.saml)] {
        if let Some(config) = strict.config(raw)? {
            strict.check(&config.rest)?;
            let mut links = config.providers.unwrap_or_default();
            for link in &mut links {
                if unknown == Unknown::OwnExport {
                    link.take_tokens();
                }
                strict.check(&link.rest)?;
            }
            if links.iter().any(|l| l.provider.is_empty() || l.subject.is_empty()) {
                return Err(ImportError::Shape(format!("{kind}: a link needs provider and subject")));
            }
            if !links.is_empty() {
                import.links.push((kind, links));
            }
        }
    }
    if let Some(config) = strict.config(raw.totp)? {
        strict.check(&config.rest)?;
        import.totp_url = config.totp_url.filter(|url| !url.is_empty());
    }
    if let Some(config) = strict.config(raw.lookup_secret)? {
        strict.check(&config.rest)?;
        let codes = config.codes.unwrap_or_default();
        codes.iter().try_for_each(|c| strict.check(&c.rest))?;
        import.codes = Some(codes).filter(|c| !c.is_empty());
    }
    if let Some(config) = strict.config(raw.webauthn)? {
        let keys = read_keys(config, strict)?;
        import.webauthn = Some(keys).filter(|k| !k.keys.is_empty());
    }
    if let Some(config) = strict.config(raw.passkey)? {
        let keys = read_keys(config, strict)?;
        if keys.keys.is_empty() || keys.user_handle.as_deref().unwrap_or_default().is_empty() {
            return Err(ImportError::Passkey);
        }
        import.passkey = Some(keys);
    }
    Ok(import)
}

#[derive(Clone, Copy)]
struct Strict(bool);

impl Strict {
    fn check(self, rest: &Rest) -> Result<(), ImportError> {
        match rest.keys().next() {
            Some(name) if self.0 => Err(ImportError::Unknown(name.clone())),
            _ => Ok(()),
        }
    }

    /// What stands under `config`; nothing there is an empty one.
    fn config<T: Default>(self, raw: Option<Config<T>>) -> Result<Option<T>, ImportError> {
        let Some(raw) = raw else { return Ok(None) };
        self.check(&raw.rest)?;
        Ok(Some(raw.config.unwrap_or_default()))
    }
}

fn read_password(config: RawPassword) -> Result<Password, ImportError> {
    if config.use_password_migration_hook == Some(true) {
        return Ok(Password::Hook);
    }
    if let Some(clear) = config.password.filter(|p| !p.is_empty()) {
        return Ok(Password::Clear(Secret::new(clear)));
    }
    let hash = config.hashed_password.filter(|h| !h.is_empty()).ok_or(ImportError::NoPassword)?;
    StoredHash::import(&hash).map_err(|e| ImportError::Hash(e.to_string()))?;
    Ok(Password::Hashed(hash))
}

fn read_keys(config: RawKeys, strict: Strict) -> Result<Keys, ImportError> {
    strict.check(&config.rest)?;
    let keys = config.credentials.unwrap_or_default();
    for key in &keys {
        if let Some(name) = key.keys().find(|name| strict.0 && !KEY_MEMBERS.contains(&name.as_str())) {
            return Err(ImportError::Unknown(name.clone()));
        }
        for name in ["id", "public_key"] {
            let bytes = key.get(name).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
            if bytes.is_none_or(|b| b.is_empty()) {
                return Err(ImportError::Shape(format!("a key needs {name} in base64")));
            }
        }
    }
    let user_handle = config.user_handle;
    if user_handle.as_deref().is_some_and(|text| STANDARD.decode(text).is_err()) {
        return Err(ImportError::Shape("user_handle is not base64".to_owned()));
    }
    Ok(Keys { keys, user_handle })
}

impl Import {
    /// Whether a password came in clear: hashing it takes a while.
    #[must_use]
    pub fn has_clear_password(&self) -> bool {
        matches!(self.password, Some(Password::Clear(_)))
    }

    /// Hashes what came in clear.
    ///
    /// # Errors
    /// If the password is longer than the configured hasher takes, or too many are being hashed.
    pub async fn prepare(self, cx: &Cx) -> Result<Prepared, ImportError> {
        let password = match self.password {
            None => None,
            Some(Password::Hook) => Some(json!({ "hashed_password": "", "use_password_migration_hook": true })),
            Some(Password::Hashed(hash)) => Some(json!({ "hashed_password": hash })),
            Some(Password::Clear(clear)) => {
                let settings = cx.hash_settings();
                let hash = cx.app.passwords.hash(&settings, clear, Client::Operator).await.map_err(|e| match e {
                    PoolError::Busy { .. } => ImportError::Busy,
                    other => ImportError::Password(other.to_string()),
                })?;
                Some(json!({ "hashed_password": hash }))
            }
        };
        Ok(Prepared {
            password,
            links: self.links,
            totp_url: self.totp_url,
            codes: self.codes,
            webauthn: self.webauthn,
            passkey: self.passkey,
        })
    }
}

/// Credentials ready to be laid over an identity.
pub struct Prepared {
    password: Option<Value>,
    links: Vec<(CredentialType, Vec<RawLink>)>,
    totp_url: Option<String>,
    codes: Option<Vec<RawCode>>,
    webauthn: Option<Keys>,
    passkey: Option<Keys>,
}

impl Prepared {
    /// Lays the credentials over an identity: password and authenticator app take the place of what was there, social
    /// links and recovery codes come beside it, security keys and passkeys replace those of the same id.
    pub fn apply_to(&self, cx: &Cx, who: &mut IdentityWithCredentials) {
        let id = who.identity.id;
        let seal = |kind, config| sealed::keep(cx.keys(), cx.rng(), id, kind, config);
        if let Some(config) = &self.password {
            slot(cx, who, CredentialType::Password).config = config.clone();
        }
        for (kind, links) in &self.links {
            let credential = slot(cx, who, *kind);
            for link in links {
                let identifier = format!("{}:{}", link.provider, link.subject);
                if !credential.identifiers.contains(&identifier) {
                    credential.identifiers.push(identifier);
                    list(&mut credential.config, "providers").push(stored_link(link));
                }
            }
            credential.config = seal(*kind, credential.config.take());
        }
        if let Some(url) = &self.totp_url {
            let credential = slot(cx, who, CredentialType::Totp);
            credential.identifiers = vec![id.to_string()];
            credential.config = seal(CredentialType::Totp, json!({ "totp_url": url }));
        }
        if let Some(codes) = &self.codes {
            let credential = slot(cx, who, CredentialType::LookupSecret);
            credential.identifiers = vec![id.to_string()];
            list(&mut credential.config, "recovery_codes").extend(codes.iter().map(stored_code));
            credential.config = seal(CredentialType::LookupSecret, credential.config.take());
        }
        for (kind, keys) in [(CredentialType::Webauthn, &self.webauthn), (CredentialType::Passkey, &self.passkey)] {
            if let Some(keys) = keys {
                keys.merge_into(cx.now, slot(cx, who, kind));
            }
        }
        who.credentials.sort_by_key(|c| c.kind);
    }
}

impl Keys {
    fn merge_into(&self, now: Timestamp, credential: &mut Credential) {
        let kept = list(&mut credential.config, "credentials");
        for key in &self.keys {
            let mut key = key.clone();
            key.entry("added_at").or_insert_with(|| now.to_string().into());
            key.entry("display_name").or_insert_with(|| "".into());
            key.entry("is_passwordless").or_insert_with(|| (credential.kind == CredentialType::Passkey).into());
            let id = key.get("id").cloned();
            match kept.iter_mut().find(|old| old.get("id").cloned() == id) {
                Some(old) => *old = Value::Object(key),
                None => kept.push(Value::Object(key)),
            }
        }
        if let (Some(handle), Value::Object(config)) = (&self.user_handle, &mut credential.config) {
            config.insert("user_handle".to_owned(), handle.clone().into());
            if credential.kind == CredentialType::Passkey {
                let handle = STANDARD.decode(handle).unwrap_or_default();
                credential.identifiers = vec![String::from_utf8_lossy(&handle).into_owned()];
            }
        }
    }
}

/// The credential of a type, made if there is none.
fn slot<'a>(cx: &Cx, who: &'a mut IdentityWithCredentials, kind: CredentialType) -> &'a mut Credential {
    let at = match who.credentials.iter().position(|c| c.kind == kind) {
        Some(at) => at,
        None => {
            who.credentials.push(Credential {
                id: cx.new_id(),
                kind,
                identifiers: Vec::new(),
                config: Value::Object(Map::new()),
                version: CREDENTIAL_VERSION,
                created_at: cx.now,
                updated_at: cx.now,
            });
            who.credentials.len() - 1
        }
    };
    &mut who.credentials[at]
}

/// The list under a name in a credential's data, made if there is none.
fn list<'a>(config: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    if !config.is_object() {
        *config = Value::Object(Map::new());
    }
    let member = &mut config[name];
    if !member.is_array() {
        *member = Value::Array(Vec::new());
    }
    match member {
        Value::Array(list) => list,
        _ => unreachable!("it was made a list right above"),
    }
}

fn stored_link(link: &RawLink) -> Value {
    let mut out = json!({ "provider": link.provider, "subject": link.subject });
    for (name, token) in TOKENS.iter().zip(&link.tokens) {
        out[*name] = token.as_str().into();
    }
    if let Some(organization) = link.organization {
        out["organization"] = organization.to_string().into();
    }
    if link.use_auto_link == Some(true) {
        out["use_auto_link"] = true.into();
    }
    out
}

fn stored_code(code: &RawCode) -> Value {
    match code.used_at {
        Some(used_at) => json!({ "code": code.code, "used_at": used_at.to_string() }),
        None => json!({ "code": code.code }),
    }
}

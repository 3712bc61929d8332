//! Answers that several keys give together.

use portcullis_model::flow::FlowKind;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Config;
use super::cookies::{CookieAttributes, SameSite};
use super::flows::{FlowConfig, Hook};

/// Below this a bcrypt cost is too cheap for real people's passwords.
const LOWEST_BCRYPT_COST: u32 = 12;

impl Config {
    /// How browsers and apps reach the public port.
    #[must_use]
    pub fn public_base_url(&self) -> &Url {
        self.serve.public.base_url.url()
    }

    /// How back ends reach the admin port.
    #[must_use]
    pub fn admin_base_url(&self) -> &Url {
        self.serve.admin.base_url.url()
    }

    /// The public address of a path, which may bring a query.
    #[must_use]
    pub fn public_url(&self, path: &str) -> Url {
        self.serve.public.base_url.join(path)
    }

    /// The admin address of a path, which may bring a query.
    #[must_use]
    pub fn admin_url(&self, path: &str) -> Url {
        self.serve.admin.base_url.join(path)
    }

    /// What is configured about a kind of flow.
    #[must_use]
    pub fn flow(&self, kind: FlowKind) -> &FlowConfig {
        let flows = &self.selfservice.flows;
        match kind {
            FlowKind::Login => &flows.login.common,
            FlowKind::Registration => &flows.registration.common,
            FlowKind::Settings => &flows.settings.common,
            FlowKind::Recovery => &flows.recovery.common,
            FlowKind::Verification => &flows.verification.common,
        }
    }

    /// Whether flows of that kind may be begun.
    #[must_use]
    pub fn flow_enabled(&self, kind: FlowKind) -> bool {
        let flows = &self.selfservice.flows;
        match kind {
            FlowKind::Login | FlowKind::Settings => true,
            FlowKind::Registration => flows.registration.enabled,
            FlowKind::Recovery => flows.recovery.enabled,
            FlowKind::Verification => flows.verification.enabled,
        }
    }

    /// Whether a method is used, by its id as it stands in keys and forms; `false` for what is no method.
    #[must_use]
    pub fn method_enabled(&self, id: &str) -> bool {
        let methods = &self.selfservice.methods;
        match id {
            "profile" => methods.profile.enabled,
            "password" => methods.password.enabled,
            "code" => methods.code.is_enabled(),
            "link" => methods.link.enabled,
            "totp" => methods.totp.enabled,
            "lookup_secret" => methods.lookup_secret.enabled,
            "webauthn" => methods.webauthn.enabled,
            "passkey" => methods.passkey.enabled,
            "oidc" => methods.oidc.enabled,
            _ => false,
        }
    }

    /// What is done before a flow.
    #[must_use]
    pub fn before_hooks(&self, kind: FlowKind) -> &[Hook] {
        &self.flow(kind).before.hooks
    }

    /// What is done after a flow: the method's hooks if it has any, else the flow's.
    #[must_use]
    pub fn after_hooks(&self, kind: FlowKind, method: Option<&str>) -> &[Hook] {
        let after = &self.flow(kind).after;
        let own = method.and_then(|m| after.methods.get(m)).map(|m| m.hooks.as_slice());
        own.filter(|hooks| !hooks.is_empty()).unwrap_or(&after.hooks)
    }

    /// Where browsers go after a flow when no `return_to` was asked for: the method's address, else the flow's, else the
    /// one for all. It may be relative.
    #[must_use]
    pub fn return_url(&self, kind: FlowKind, method: Option<&str>) -> &str {
        let after = &self.flow(kind).after;
        method
            .and_then(|m| after.methods.get(m))
            .and_then(|m| m.default_browser_return_url.as_deref())
            .or(after.default_browser_return_url.as_deref())
            .unwrap_or(&self.selfservice.default_browser_return_url)
    }

    /// Where browsers go after signing out when no `return_to` was asked for. It may be relative.
    #[must_use]
    pub fn logout_return_url(&self) -> &str {
        let after = &self.selfservice.flows.logout.after;
        after.default_browser_return_url.as_deref().unwrap_or(&self.selfservice.default_browser_return_url)
    }

    /// The session cookie: `session.cookie.*`, else `cookies.*`; Secure unless in development mode or told otherwise.
    #[must_use]
    pub fn session_cookie(&self) -> CookieAttributes {
        let (own, all) = (&self.session.cookie, &self.cookies);
        CookieAttributes {
            name: own.name.clone(),
            domain: own.domain.clone().or_else(|| all.domain.clone()),
            path: own.path.clone().unwrap_or_else(|| all.path.clone()),
            same_site: own.same_site.unwrap_or(all.same_site),
            secure: own.secure.unwrap_or(!self.dev),
            persistent: own.persistent,
        }
    }

    /// The anti-CSRF cookie. Its name holds the SHA-256 of the public base URL as it was configured, so that several
    /// servers below one domain do not take each other's. Without Secure it is Lax: browsers drop `None` then.
    #[must_use]
    pub fn csrf_cookie(&self) -> CookieAttributes {
        let secure = self.cookies.secure.unwrap_or(!self.dev);
        CookieAttributes {
            name: format!("csrf_token_{}", hex(Sha256::digest(self.serve.public.base_url.as_str()).as_slice())),
            domain: self.cookies.domain.clone(),
            path: self.cookies.path.clone(),
            same_site: if secure { self.cookies.same_site } else { SameSite::Lax },
            secure,
            persistent: true,
        }
    }

    /// The cookie that carries what must outlive a trip to another site.
    #[must_use]
    pub fn continuity_cookie(&self) -> CookieAttributes {
        CookieAttributes { name: "ory_kratos_continuity".to_owned(), same_site: SameSite::Lax, ..self.csrf_cookie() }
    }

    /// The cost of new bcrypt hashes: at least 12, unless in development mode.
    #[must_use]
    pub fn bcrypt_cost(&self) -> u32 {
        let cost = self.hashers.bcrypt.cost;
        if self.dev { cost } else { cost.max(LOWEST_BCRYPT_COST) }
    }

    /// The fewest characters of a password.
    #[must_use]
    pub fn min_password_length(&self) -> usize {
        self.selfservice.methods.password.config.min_password_length
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

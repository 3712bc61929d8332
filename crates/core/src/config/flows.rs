//! `selfservice.flows`: pages, lifespans, hooks and return addresses of the flows.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::session::RequiredAal;
use super::value::duration;

/// `selfservice.flows`.
#[derive(Clone, Debug, Deserialize)]
pub struct Flows {
    /// Signing in.
    pub login: Login,
    /// Signing up.
    pub registration: Registration,
    /// Changing one's account.
    pub settings: Settings,
    /// Getting back into an account.
    pub recovery: Recovery,
    /// Proving an address.
    pub verification: Verification,
    /// Signing out.
    pub logout: Logout,
    /// The page that shows errors.
    #[serde(default)]
    pub error: ErrorPage,
}

/// What all flows have.
#[derive(Clone, Debug, Deserialize)]
pub struct FlowConfig {
    /// The page for this flow; `None`: the built-in one.
    #[serde(default)]
    pub ui_url: Option<String>,
    /// How long a flow lasts.
    #[serde(deserialize_with = "duration")]
    pub lifespan: Duration,
    /// What happens when it begins.
    #[serde(default)]
    pub before: Before,
    /// What happens when it ends.
    #[serde(default)]
    pub after: After,
}

/// `before` of a flow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Before {
    /// What is done.
    pub hooks: Vec<Hook>,
}

/// `after` of a flow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    /// Where browsers go, unless the method says otherwise.
    pub default_browser_return_url: Option<String>,
    /// What is done, unless the method has hooks of its own.
    pub hooks: Vec<Hook>,
    /// What differs after one method, by its id.
    #[serde(flatten)]
    pub methods: BTreeMap<String, AfterMethod>,
}

/// `after.METHOD` of a flow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AfterMethod {
    /// Where browsers go.
    pub default_browser_return_url: Option<String>,
    /// What is done.
    pub hooks: Vec<Hook>,
}

/// Something that is done before or after a flow.
#[derive(Clone, PartialEq, Deserialize)]
pub struct Hook {
    /// Its name, such as `web_hook`.
    #[serde(rename = "hook")]
    pub name: String,
    /// Its own configuration: checked by the configuration schema, defaults not filled in; `null` if there is none.
    #[serde(default)]
    pub config: Value,
}

impl fmt::Debug for Hook {
    /// The configuration may hold credentials, so only the name is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `selfservice.flows.login`.
#[derive(Clone, Debug, Deserialize)]
pub struct Login {
    /// What all flows have.
    #[serde(flatten)]
    pub common: FlowConfig,
    /// One step or two.
    pub style: LoginStyle,
}

/// How people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginStyle {
    /// Everything on one page.
    Unified,
    /// First who, then how.
    IdentifierFirst,
}

/// `selfservice.flows.registration`.
#[derive(Clone, Debug, Deserialize)]
pub struct Registration {
    /// What all flows have.
    #[serde(flatten)]
    pub common: FlowConfig,
    /// Whether people may sign up.
    pub enabled: bool,
    /// Whether someone who has an account is told how they sign in.
    pub login_hints: bool,
    /// One step or two, as written; see [`Registration::style`].
    #[serde(rename = "style")]
    pub configured_style: RegistrationStyle,
    /// The old way to ask for one step.
    pub enable_legacy_one_step: bool,
}

impl Registration {
    /// One step or two, the old key heeded.
    #[must_use]
    pub fn style(&self) -> RegistrationStyle {
        if self.enable_legacy_one_step { RegistrationStyle::Unified } else { self.configured_style }
    }
}

/// How people sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStyle {
    /// Everything on one page.
    Unified,
    /// First the traits, then a credential.
    ProfileFirst,
}

/// `selfservice.flows.settings`.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// What all flows have.
    #[serde(flatten)]
    pub common: FlowConfig,
    /// How fresh a sign-in must be for sensitive changes.
    #[serde(deserialize_with = "duration")]
    pub privileged_session_max_age: Duration,
    /// The session strength that is insisted on.
    pub required_aal: RequiredAal,
    /// Mails that tell people of changes to their accounts.
    pub change_notices: ChangeNotices,
}

/// `selfservice.flows.settings.change_notices`, a key of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ChangeNotices {
    /// Whether people are told when their password, addresses or factors change.
    pub enabled: bool,
    /// Whether they are told of what administrators change, too.
    pub by_administrators: bool,
    /// How long a notice waits for further changes, so that they come in one.
    #[serde(deserialize_with = "duration")]
    pub delay: Duration,
}

/// What a recovery or verification flow sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// A link to follow.
    Link,
    /// A code to type in.
    Code,
}

impl Challenge {
    /// The id of the method that sends it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
        }
    }
}

/// `selfservice.flows.recovery`.
#[derive(Clone, Debug, Deserialize)]
pub struct Recovery {
    /// What all flows have.
    #[serde(flatten)]
    pub common: FlowConfig,
    /// Whether accounts can be recovered.
    pub enabled: bool,
    /// What is sent.
    #[serde(rename = "use")]
    pub challenge: Challenge,
    /// Whether addresses that nobody owns are written to.
    pub notify_unknown_recipients: bool,
}

/// `selfservice.flows.verification`.
#[derive(Clone, Debug, Deserialize)]
pub struct Verification {
    /// What all flows have.
    #[serde(flatten)]
    pub common: FlowConfig,
    /// Whether addresses are verified.
    pub enabled: bool,
    /// What is sent.
    #[serde(rename = "use")]
    pub challenge: Challenge,
    /// Whether addresses that nobody owns are written to.
    pub notify_unknown_recipients: bool,
}

/// `selfservice.flows.logout`.
#[derive(Clone, Debug, Deserialize)]
pub struct Logout {
    /// Whether signing out over HTTPS makes the browser forget the site.
    pub clear_browser_data: bool,
    /// What happens afterwards.
    #[serde(default)]
    pub after: AfterLogout,
}

/// `selfservice.flows.logout.after`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AfterLogout {
    /// Where browsers go.
    pub default_browser_return_url: Option<String>,
}

/// `selfservice.flows.error`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ErrorPage {
    /// The page that shows errors; `None`: the built-in one.
    pub ui_url: Option<String>,
}

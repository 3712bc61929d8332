//! Hooks: what operators have happen before a flow begins and after a submit was found good.
//!
//! A hook is one file here and one line in [`all`].

mod notify_previous_addresses;
mod require_verified_address;
mod revoke_active_sessions;
mod session;
mod show_verification_ui;
mod verification;
mod verify_new_address;
mod web_hook;

use async_trait::async_trait;
use serde_json::Value;

use crate::app::Cx;
use crate::flow::engine::{After, Before, FlowError, Owed};

pub(crate) use web_hook::context_of_request;
pub use web_hook::{CallView, deliver, deliver_due, ring, view};

/// All hooks. Adding a hook takes one line here.
#[must_use]
pub fn all() -> Hooks {
    Hooks(vec![
        Box::new(session::Session),
        Box::new(show_verification_ui::ShowVerificationUi),
        Box::new(verification::Verification),
        Box::new(require_verified_address::RequireVerifiedAddress),
        Box::new(revoke_active_sessions::RevokeActiveSessions),
        Box::new(notify_previous_addresses::NotifyPreviousAddresses),
        Box::new(verify_new_address::VerifyNewAddress),
        Box::new(web_hook::WebHook),
    ])
}

/// The hooks of an application.
pub struct Hooks(Vec<Box<dyn Hook>>);

impl Hooks {
    /// A list of its own, for tests.
    #[must_use]
    pub fn new(hooks: Vec<Box<dyn Hook>>) -> Self {
        Self(hooks)
    }

    /// The hook of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Hook> {
        self.0.iter().find(|h| h.name() == name).map(|h| &**h)
    }
}

/// A hook. It does nothing where it has nothing to do.
#[async_trait]
pub trait Hook: Send + Sync {
    /// Its name in configuration files.
    fn name(&self) -> &'static str;

    /// Runs when a flow begins, before it is stored.
    ///
    /// # Errors
    /// Then the flow does not begin.
    async fn before(&self, _cx: &Cx, _config: &Value, _before: &mut Before<'_>) -> Result<(), FlowError> {
        Ok(())
    }

    /// May refuse or change what is about to be saved.
    ///
    /// # Errors
    /// Then nothing is saved.
    async fn decide(&self, _cx: &Cx, _config: &Value, _after: &mut After<'_>) -> Result<(), FlowError> {
        Ok(())
    }

    /// Adds to what is about to be saved and to what the client is told.
    ///
    /// # Errors
    /// Then nothing is saved.
    async fn after(&self, _cx: &Cx, _config: &Value, _after: &mut After<'_>) -> Result<(), FlowError> {
        Ok(())
    }

    /// Does what it wrote down as owed in [`Pending::owed`](crate::flow::engine::Pending::owed): the changes are saved, the
    /// client waits.
    ///
    /// # Errors
    /// What the client is told. What was saved stays.
    async fn fulfil(&self, _cx: &Cx, _owed: &Owed) -> Result<(), FlowError> {
        Ok(())
    }

    /// Whether it sends the client to the verification that begins on the way.
    fn leads_to_verification(&self) -> bool {
        false
    }

    /// Whether it holds changes back until something is proved. It is not asked again when that was proved.
    fn holds_back(&self) -> bool {
        false
    }

    /// Whether it looks at the flow as clients are shown it.
    fn sees_form(&self) -> bool {
        false
    }
}

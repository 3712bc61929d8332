//! A submit to a flow that was found: the steps that are the same whatever the flow is for.
//!
//! A flow's own file calls them in the order that its reference gives, and supplies how its form is shown.

use portcullis_model::error::ApiError;
use portcullis_model::flow::{Flow, FlowType};
use portcullis_model::message;
use portcullis_store::{Changes, StoreError};
use serde_json::{Value, json};

use super::after::{form_for_hooks, run_before};
use super::fault::{FlowError, answer_error, plain, store_error};
use super::form::{Form, transient_payload};
use super::keep::{self, Loaded};
use super::reply::Reply;
use super::show::{self, Shown};
use super::{csrf, takes_json};
use crate::app::Cx;

/// How a kind of flow shows its form. It may hold what that takes, such as whose form it is.
pub trait Showing: Send + Sync {
    /// The status of the redirect that leads a page back to a form that was refused.
    const REFUSED: u16 = 303;

    /// The form of a flow.
    ///
    /// # Errors
    /// If something that must be asked for it fails.
    fn shown(&self, cx: &Cx, flow: &mut Flow) -> impl Future<Output = Result<Shown, FlowError>> + Send;
}

/// Whether an answer repeats what the client sent along for hooks and mails. It is kept nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It does: the submit was read whole and answered.
    Payload,
    /// It does not.
    Nothing,
}

/// A submit to a flow that was found.
pub struct Submission<'a, S> {
    /// The circumstances.
    pub cx: &'a Cx,
    /// The flow, with the version that guards its change.
    pub loaded: Loaded,
    /// What the client sent along for hooks and mails, once the form was read.
    pub transient_payload: Option<Value>,
    /// How the form is shown.
    pub showing: S,
}

impl<'a, S: Showing> Submission<'a, S> {
    /// A submit of which nothing was read yet.
    #[must_use]
    pub fn new(cx: &'a Cx, loaded: Loaded, showing: S) -> Self {
        Self { cx, loaded, transient_payload: None, showing }
    }

    /// Whether the client is answered with JSON.
    #[must_use]
    pub fn takes_json(&self) -> bool {
        takes_json(self.cx, self.loaded.flow.flow_type)
    }

    /// Reads the form and what was sent along with it.
    ///
    /// # Errors
    /// Message 4000001 if it cannot be read, 4000026 if what was sent along is no object.
    pub fn read_form(&mut self) -> Result<Form, FlowError> {
        let form = Form::read(&self.cx.request).map_err(|why| FlowError::tell(message::validation::generic(&why.to_string())))?;
        self.transient_payload = Some(transient_payload(&form)?);
        Ok(form)
    }

    /// The anti-CSRF check of browser flows; native flows refuse browsers.
    ///
    /// # Errors
    /// 403 for browsers, message 4000001 for native flows.
    pub fn check_csrf(&self, form: &Form) -> Result<(), FlowError> {
        match self.loaded.flow.flow_type {
            FlowType::Browser => csrf::check_browser(self.cx, form).map_err(FlowError::api),
            FlowType::Api => csrf::check_native(self.cx).map_err(|why| FlowError::tell(message::validation::generic(why))),
        }
    }

    /// Commits what was decided together with the flow as it is to be, which this submit has from then on.
    ///
    /// # Errors
    /// What the database says: a `Conflict` if the flow or anything else that is guarded has changed meanwhile.
    pub async fn commit(&mut self, mut changes: Changes, flow: Flow) -> Result<(), StoreError> {
        let next = Loaded { flow, version: self.loaded.version };
        keep::update(self.cx, &mut changes, &next);
        self.cx.store().commit(changes).await?;
        self.loaded = Loaded { version: next.version + 1, ..next };
        Ok(())
    }

    /// A flow as hooks see it, where one wants to: after a good submit by a method.
    ///
    /// # Errors
    /// If the form fails.
    pub async fn form_for_hooks(&self, flow: &Flow, method: &str) -> Result<Option<Value>, FlowError> {
        if !form_for_hooks(self.cx, flow.kind(), method) {
            return Ok(None);
        }
        let mut flow = flow.clone();
        let shown = self.showing.shown(self.cx, &mut flow).await?;
        Ok(Some(show::body(&flow, shown)))
    }

    /// Reads the flow again, after a change was refused because the facts had changed.
    ///
    /// # Errors
    /// 404 if it has gone, or if the database fails.
    pub async fn read_again(&mut self) -> Result<(), FlowError> {
        let kind = self.loaded.flow.kind();
        let read = keep::load(self.cx, kind, self.loaded.flow.id).await.map_err(FlowError::api)?;
        self.loaded = read.ok_or_else(|| FlowError::api(ApiError::not_found(format!("There is no {kind} flow of this id."))))?;
        Ok(())
    }

    /// After a commit failed: reads the flow again where the facts had changed, so that the caller decides again.
    ///
    /// # Errors
    /// The failure itself where deciding again does not help.
    pub async fn decide_again(&mut self, failed: FlowError) -> Result<(), FlowError> {
        match failed {
            FlowError::Store(StoreError::Conflict { .. }) => self.read_again().await,
            other => Err(other),
        }
    }

    /// Saves the flow as it is now and shows it: JSON with this status, or the way back to its page.
    ///
    /// # Errors
    /// If the database or the form fails.
    pub async fn show(&mut self, status: u16, echo: Echo) -> Result<Reply, FlowError> {
        keep::save(self.cx, &self.loaded).await.map_err(FlowError::api)?;
        self.show_saved(status, echo).await
    }

    /// Shows the flow, which is saved already.
    ///
    /// # Errors
    /// If the form fails.
    pub async fn show_saved(&mut self, status: u16, echo: Echo) -> Result<Reply, FlowError> {
        self.present(status, 303, echo).await
    }

    /// The answer to a judged submit: what was judged, or the form with what is to be mended, or an error.
    pub async fn answer(mut self, judged: Result<Reply, FlowError>) -> Reply {
        let error = match judged {
            Ok(reply) => return reply,
            Err(FlowError::Invalid(notes)) => {
                self.loaded.flow.notes.replace_messages(*notes);
                match self.refuse().await {
                    Ok(reply) => return reply,
                    Err(error) => plain(error),
                }
            }
            Err(FlowError::Store(error)) => store_error(&error),
            Err(other) => plain(other),
        };
        answer_error(self.cx, error, self.takes_json()).await
    }

    async fn refuse(&mut self) -> Result<Reply, FlowError> {
        keep::save(self.cx, &self.loaded).await.map_err(FlowError::api)?;
        self.present(400, S::REFUSED, Echo::Nothing).await
    }

    async fn present(&mut self, status: u16, redirect: u16, echo: Echo) -> Result<Reply, FlowError> {
        let cx = self.cx;
        if !self.takes_json() {
            return Ok(Reply::redirect(redirect, show::page_of(cx, &self.loaded.flow)));
        }
        let mut shown = self.showing.shown(cx, &mut self.loaded.flow).await?;
        if echo == Echo::Payload {
            let payload = self.transient_payload.clone().unwrap_or_else(|| json!({}));
            shown.beside.insert("transient_payload".into(), payload);
        }
        Ok(Reply::json(status, show::body(&self.loaded.flow, shown)))
    }
}

/// Why a new flow takes the place of a submitted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Its time was over.
    Expired,
    /// Its proof was used or is no good, its tries are spent, or it is finished.
    Spent,
}

/// Begins a flow that has no more to it than its form: hooks run, it is saved and shown.
///
/// # Errors
/// If a hook refuses, or the form or the database fails.
pub async fn begin_shown(cx: &Cx, mut flow: Flow, showing: &impl Showing) -> Result<Reply, ApiError> {
    let shown = showing.shown(cx, &mut flow).await.map_err(plain)?;
    let mut changes = Changes::new();
    run_before(cx, &flow, &shown, None, &mut changes).await.map_err(plain)?;
    keep::insert(cx, &mut changes, &flow);
    keep::begin(cx, changes).await?;
    Ok(show::begun(cx, &flow, shown))
}

/// Where a client goes on with a new flow that takes the place of the one it submitted: its page, or for scripts and apps
/// the route that fetches it.
#[must_use]
pub fn see_instead(cx: &Cx, new: &Flow, json: bool) -> Reply {
    if json {
        Reply::see_other(cx.public_url(&format!("/self-service/{}/flows?id={}", new.kind(), new.id)))
    } else {
        Reply::see_other(show::page_of(cx, new))
    }
}

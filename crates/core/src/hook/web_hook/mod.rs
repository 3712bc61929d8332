//! `web_hook`: operators' services are told of what happens, and may have a say in it.
//!
//! There are three kinds. Those that decide are asked before anything is saved. Those that are awaited are called when it is
//! saved, while the client waits; until they were called, that is written down as owed. Those whose answer is ignored are
//! only written down: [`deliver()`] calls them, beside requests, at least once. At sign-in nothing is saved before all hooks
//! but the last kind were called; and a verification cannot be refused any more, as it is recorded.

mod answer;
mod config;
mod context;
mod deliver;
mod outbox;

use async_trait::async_trait;
use portcullis_model::error::ApiError;
use portcullis_model::flow::FlowKind;
use serde_json::Value;

pub(crate) use self::context::context_of_request;
pub use self::deliver::{deliver, deliver_due, ring};
pub use self::outbox::{CallView, view};

use self::answer::Unfit;
use self::config::{Config, Kind};
use self::outbox::Job;
use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, Before, FlowError, Owed};
use crate::outbound::{Caller, Occasion, Response, ServiceError};

/// How often a hook is called for which somebody waits.
const TRIES: u32 = 3;
const NAME: &str = "web_hook";

pub(super) struct WebHook;

#[async_trait]
impl Hook for WebHook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sees_form(&self) -> bool {
        true
    }

    async fn before(&self, cx: &Cx, config: &Value, before: &mut Before<'_>) -> Result<(), FlowError> {
        let hook = read(config)?;
        let job = Job::before(before.flow.kind(), config, context::before(cx, before));
        if hook.kind() == Kind::IsTold {
            outbox::owe(cx, before.changes, &job, &hook.id, None, cx.now);
            return Ok(());
        }
        ask(cx, &hook, &job, cx.new_id()).await.map(drop)
    }

    async fn decide(&self, cx: &Cx, config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        let hook = read(config)?;
        if hook.kind() != Kind::Decides || !decides_first(after.flow.kind()) {
            return Ok(());
        }
        let job = Job::after(after, config, context::after(cx, after, false));
        let Some(said) = ask(cx, &hook, &job, cx.new_id()).await? else { return Ok(()) };
        if after.flow.kind() == FlowKind::Recovery {
            return Ok(());
        }
        answer::change(cx, after, &said).map_err(|unfit| match unfit {
            Unfit::Flow(error) => error,
            Unfit::Shape => {
                tracing::error!(hook = hook.id, place = job.place, "a web hook answered with an identity that is none");
                FlowError::api(ApiError::internal())
            }
        })
    }

    async fn after(&self, cx: &Cx, config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        let hook = read(config)?;
        let kind = after.flow.kind();
        if hook.kind() == Kind::Decides && decides_first(kind) {
            return Ok(());
        }
        let job = Job::after(after, config, context::after(cx, after, true));
        let identity = Some(after.who.identity.id);
        match (hook.kind(), kind) {
            (Kind::IsTold, _) => {
                outbox::owe(cx, after.changes, &job, &hook.id, identity, cx.now);
                after.pending.has_calls = true;
            }
            (_, FlowKind::Login) => drop(ask(cx, &hook, &job, cx.new_id()).await?),
            _ => {
                // A worker leaves it to this request as long as that may take.
                let before_it = u32::try_from(after.pending.owed.len()).unwrap_or(u32::MAX).saturating_add(1);
                let due = cx.now.plus(Caller::new(&cx.app, &cx.snapshot).longest().saturating_mul(before_it));
                let id = outbox::owe(cx, after.changes, &job, &hook.id, identity, due);
                after.pending.owed.push(Owed { hook: NAME, id, work: job.to_value() });
            }
        }
        Ok(())
    }

    async fn fulfil(&self, cx: &Cx, owed: &Owed) -> Result<(), FlowError> {
        let Some(job) = Job::of_value(&owed.work) else { return Ok(()) };
        ask(cx, &read(&job.config)?, &job, owed.id).await.map(drop)
    }
}

/// Whether hooks that decide are asked before all others.
fn decides_first(kind: FlowKind) -> bool {
    matches!(kind, FlowKind::Registration | FlowKind::Settings | FlowKind::Recovery)
}

fn read(config: &Value) -> Result<Config, FlowError> {
    Config::read(config).ok_or_else(|| {
        tracing::error!("a web hook's configuration cannot be read");
        FlowError::api(ApiError::internal())
    })
}

/// Calls a hook and judges its answer; gives what one that decides says.
async fn ask(cx: &Cx, hook: &Config, job: &Job, id: uuid::Uuid) -> Result<Option<Value>, FlowError> {
    let occasion = Occasion { id, ctx: &job.ctx, tries: TRIES };
    match Caller::new(&cx.app, &cx.snapshot).call(&hook.service(), &occasion).await {
        Ok(None) => Ok(None),
        Ok(Some(answer)) => judge(hook, job, &answer),
        Err(error) => Err(failed(cx, hook, job, &error)),
    }
}

fn judge(hook: &Config, job: &Job, answer: &Response) -> Result<Option<Value>, FlowError> {
    let (status, decides) = (answer.status, hook.kind() == Kind::Decides);
    let unusable = |what| {
        tracing::error!(hook = hook.id, place = job.place, status, "{what}");
        Err(FlowError::api(ApiError::internal()))
    };
    match (status, decides) {
        (200, true) if hook.parses() => match serde_json::from_slice(&answer.body) {
            Ok(said) => Ok(Some(said)),
            Err(_) => unusable("a web hook that decides answered with no JSON"),
        },
        (..400, _) => Ok(None),
        (_, true) => match answer::messages(&answer.body, job.ctx.get("flow").unwrap_or(&Value::Null)) {
            Some(notes) => Err(FlowError::Invalid(Box::new(notes))),
            None => unusable("a web hook refused without messages that can be used"),
        },
        (_, false) => {
            tracing::error!(hook = hook.id, place = job.place, status, "a web hook answered with an error");
            Err(FlowError::api(ApiError::new(502, "A service that has to be told of this answered with an error.")))
        }
    }
}

fn failed(cx: &Cx, hook: &Config, job: &Job, error: &ServiceError) -> FlowError {
    let reason = if cx.config().log.leak_sensitive_values { error.whole() } else { error.to_string() };
    tracing::error!(hook = hook.id, place = job.place, reason, "a web hook was not called, or did not answer");
    FlowError::api(match error {
        ServiceError::TimedOut => late(),
        // As if it had been called.
        ServiceError::LeftAlone(why) if why.is_timeout() => late(),
        _ => ApiError::internal(),
    })
}

fn late() -> ApiError {
    ApiError::new(504, "A service that has to be told of this did not answer in time.")
}

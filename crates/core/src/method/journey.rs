//! Methods whose proof is given elsewhere: the person leaves for another site and comes back by a route of its own.
//!
//! The flow that they left from goes on when they come back. What it takes to know it again stands in what comes back with
//! them; that it is the same person's browser is for the method to make sure of before anything is asked of the other site.

use async_trait::async_trait;
use portcullis_model::error::ApiError;
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::ui::Ui;
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// The flow that somebody comes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its kind.
    pub kind: FlowKind,
    /// Its id.
    pub flow_id: Uuid,
}

/// How far a journey has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is under way, and ends now: the flow remembers that it has.
    Ends,
    /// It ended before, in the same browser.
    HasEnded,
}

/// What a method does whose proof is given elsewhere.
#[async_trait]
pub trait Journey: Send + Sync {
    /// The flow that somebody comes back to. `place` is the last segment of the route, where it has one.
    ///
    /// # Errors
    /// 400 if what came back is none of ours, or is for another place.
    fn origin(&self, cx: &Cx, place: Option<&str>) -> Result<Origin, ApiError>;

    /// Makes sure that whoever comes back is who left, and that only the newest journey of the flow counts, once. The flow is
    /// saved before anything else happens, so that of two who come back at once only one goes on.
    ///
    /// # Errors
    /// 400 if it is somebody else, or the journey is not the newest.
    fn end(&self, cx: &Cx, flow: &mut Flow) -> Result<Standing, ApiError>;

    /// Learns what the other site says, and remembers it in the flow. Gives what was sent along before the journey for hooks
    /// and mails.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person; [`FlowError::Api`] if the other site fails.
    async fn arrive(&self, cx: &Cx, flow: &mut Flow) -> Result<(), FlowError>;

    /// What was sent along before the journey for hooks and mails.
    fn transient_payload(&self, flow: &Flow) -> Option<Value>;
}

/// A trial as its flow remembers it.
pub struct Tried {
    /// What stands beside the form: what is tried, and once somebody came back, what came of it.
    pub context: Value,
    /// The token that its submit must bring; it is shown in the form.
    pub token: String,
    /// Whether somebody came back.
    pub is_over: bool,
}

/// What a method does that administrators can try out, without any account.
#[async_trait]
pub trait Trial: Send + Sync {
    /// Makes a flow of signing in one that tries out what is named.
    ///
    /// # Errors
    /// 404 if there is nothing of that name.
    fn begin(&self, cx: &Cx, flow: &mut Flow, name: &str) -> Result<(), ApiError>;

    /// The trial of a flow; `None` if it is for signing in.
    fn of(&self, flow: &Flow) -> Option<Tried>;

    /// Adds its nodes to the form.
    fn populate(&self, cx: &Cx, flow: &Flow, ui: &mut Ui);

    /// Learns what the other site says, and remembers what came of it, whatever that is.
    async fn try_out(&self, cx: &Cx, flow: &mut Flow);
}

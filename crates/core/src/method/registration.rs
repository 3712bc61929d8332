//! What methods can do in registration, and what comes of it.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, Message};
use portcullis_model::schema::IdentitySchema;
use portcullis_model::session::AuthenticationMethod;
use portcullis_model::ui::Ui;
use portcullis_store::Changes;
use serde_json::Value;

use super::Arranged;
use crate::app::Cx;
use crate::config::Config;
use crate::flow::engine::{FlowError, Form, Reply};

/// Which part of signing up a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationStage {
    /// Traits and credentials at once.
    Unified,
    /// The first of two steps: traits.
    Profile,
    /// The second of two steps: a credential.
    Credential,
}

/// What came of a registration submit.
pub enum RegistrationOutcome {
    /// An identity is to be made.
    Registrant(Box<Registrant>),
    /// Nothing yet: the flow is shown again with what the method told.
    ShowUi,
    /// A challenge is to be sent: the changes are saved together with the flow, which waits for the answer then.
    Challenged(Box<Changes>),
    /// The person is sent elsewhere; the flow is saved with what the method remembers, and waits for their return.
    Left(Box<Reply>),
    /// Whoever it is has an account: a flow of signing in takes this one's place.
    SignIn,
    /// What the person wants to have belongs to an account: a flow of signing in to it takes this one's place, with this
    /// message and what the method remembers.
    Join(Box<Message>),
    /// The method answers by itself.
    Answered(Box<Reply>),
}

/// Who wants to sign up.
pub struct Registrant {
    /// The identity as it is to be made, with the method's credential.
    pub who: IdentityWithCredentials,
    /// What the person proved on the way, for the session.
    pub proof: AuthenticationMethod,
    /// What the submit itself changes: a used code.
    pub changes: Changes,
}

/// What a method can do in registration.
#[async_trait]
pub trait RegistrationMethod: Send + Sync {
    /// Whether people sign up by it under a configuration in which it is switched on.
    fn serves(&self, _config: &Config) -> bool {
        true
    }

    /// The form of a flow that waits for the answer to this method's challenge, or has got it: it stands alone beside the
    /// hidden traits. `None` if the method sends no challenges.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate_waiting(&self, _cx: &Cx, _flow: &Flow, _ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
        Ok(None)
    }

    /// Adds its nodes to the form. Trait nodes are not its business.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate(
        &self,
        cx: &Cx,
        stage: RegistrationStage,
        schema: &IdentitySchema,
        flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError>;

    /// Adds its nodes to the first of two steps, for who signs up by it without giving traits before.
    fn populate_first(&self, _cx: &Cx, _flow: &Flow, _ui: &mut Ui) {}

    /// Adds its nodes to a form that goes on with this method alone, besides the traits. `false` if there is none.
    fn populate_alone(&self, _cx: &Cx, _flow: &Flow, _ui: &mut Ui) -> bool {
        false
    }

    /// Whether the method itself makes sure that a submit is the browser's own, so that no anti-CSRF token is asked for.
    fn guards_itself(&self, _form: &Form) -> bool {
        false
    }

    /// Whether the method judges the traits itself, since it may know more of them: it is given them as they were sent, `Null`
    /// if they were not.
    fn judges_traits(&self) -> bool {
        false
    }

    /// Judges what somebody came back with from elsewhere.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn resume(&self, _cx: &Cx, _schema: &IdentitySchema, _flow: &mut Flow) -> Result<RegistrationOutcome, FlowError> {
        Err(FlowError::tell(message::registration::no_method()))
    }

    /// Faults of its own fields, told together with those of the traits and before anti-CSRF is checked.
    fn check_form(&self, cx: &Cx, form: &Form, notes: &mut Notes);

    /// Judges a submit. The traits fit the schema, anti-CSRF was checked.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError>;
}

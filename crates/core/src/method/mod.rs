//! Methods: the ways to prove who one is or to change something about oneself.
//!
//! A method is one folder here and one line in [`all`]. It never uses another method, and no flow names one: they meet
//! through the traits below. What several methods share lives in `credential` or `identity`.

mod challenge;
mod code;
mod journey;
mod link;
mod lookup_secret;
mod oidc;
mod passkey;
mod password;
mod profile;
mod registration;
mod totp;
mod webauthn;

pub use journey::{Journey, Origin, Standing, Trial, Tried};
pub use registration::{Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};

use async_trait::async_trait;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::{Flow, FlowKind, Notes};
use portcullis_model::identity::{Identity, IdentityWithCredentials, Via};
use portcullis_model::message::{self, Message};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{Group, Ui};
use portcullis_store::Changes;
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::config::Config;
use crate::flow::engine::{Change, FlowError, Form, Reply};
use crate::identity::view::Parts;

pub use challenge::Challenge;

/// All methods, in the order in which a submit is offered to them. Adding a method takes one line here.
#[must_use]
pub fn all() -> Methods {
    Methods(vec![
        Box::new(profile::Profile),
        Box::new(password::Password),
        Box::new(oidc::Oidc),
        Box::new(code::Code),
        Box::new(link::Link),
        Box::new(totp::Totp),
        Box::new(lookup_secret::LookupSecret),
        Box::new(webauthn::WebAuthn),
        Box::new(passkey::Passkey),
    ])
}

/// The methods of an application.
pub struct Methods(Vec<Box<dyn Method>>);

impl Methods {
    /// A list of its own, for tests.
    #[must_use]
    pub fn new(methods: Vec<Box<dyn Method>>) -> Self {
        Self(methods)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Method> {
        self.0.iter().map(|m| &**m)
    }

    /// Those that are switched on.
    pub fn enabled<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a dyn Method> {
        self.iter().filter(|m| m.enabled(config))
    }

    /// The kinds of credentials that methods know, whether the methods are switched on or not.
    pub fn credentials(&self) -> impl Iterator<Item = &dyn CredentialKind> {
        self.iter().filter_map(|m| m.credential())
    }

    /// The credentials of methods that are switched on.
    pub fn enabled_credentials<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a dyn CredentialKind> {
        self.enabled(config).filter_map(|m| m.credential())
    }

    /// In how many ways somebody can sign in with a first factor now, each key counted. The last one may not be removed.
    #[must_use]
    pub fn first_factors(&self, config: &Config, who: &IdentityWithCredentials) -> usize {
        let of_method = |method: &dyn Method| {
            let (kind, login) = (method.credential()?, method.login()?);
            let credential = who.credential(kind.kind()).filter(|_| login.serves(config, Aal::Aal1))?;
            Some(kind.first_factors(credential))
        };
        let known = |kind| self.credentials().any(|known| known.kind() == kind);
        let of_others = who.credentials.iter().filter(|credential| !known(credential.kind)).map(links);
        self.enabled(config).filter_map(of_method).chain(of_others).sum()
    }
}

/// The links of a credential that no method here looks after: people sign in by them elsewhere. Links of an organization
/// are its own.
fn links(credential: &Credential) -> usize {
    let links = credential.config.get("providers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    links.iter().filter(|link| link.get("organization").is_none_or(Value::is_null)).count()
}

/// A way to prove or change something. Every capability is optional, object-safe and free of HTTP.
pub trait Method: Send + Sync {
    /// Its id: the value of `method` in forms and the key in `selfservice.methods`.
    fn id(&self) -> &'static str;

    /// Whether it is switched on.
    fn enabled(&self, config: &Config) -> bool {
        config.method_enabled(self.id())
    }

    /// Whether a submit to a flow of this kind is meant for it.
    fn handles(&self, _kind: FlowKind, form: &Form) -> bool {
        form.method() == Some(self.id())
    }

    /// Whether a link to the flow with the form's fields as its query is as good as the form: it has no effect but to lead
    /// elsewhere.
    fn follows_links(&self) -> bool {
        false
    }

    /// What it does if its proof is given elsewhere.
    fn journey(&self) -> Option<&dyn Journey> {
        None
    }

    /// What it does if it can be tried out.
    fn trial(&self) -> Option<&dyn Trial> {
        None
    }

    /// What it can do in login.
    fn login(&self) -> Option<&dyn LoginMethod> {
        None
    }

    /// What it can do in registration.
    fn registration(&self) -> Option<&dyn RegistrationMethod> {
        None
    }

    /// What it can do in settings.
    fn settings(&self) -> Option<&dyn SettingsMethod> {
        None
    }

    /// What it can do in recovery.
    fn recovery(&self) -> Option<&dyn RecoveryMethod> {
        None
    }

    /// What it can do in verification.
    fn verification(&self) -> Option<&dyn VerificationMethod> {
        None
    }

    /// The credential that it keeps.
    fn credential(&self) -> Option<&dyn CredentialKind> {
        None
    }
}

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usable {
    /// It can be proved as a first factor.
    pub first: bool,
    /// It can be proved as a second factor.
    pub second: bool,
}

/// A kind of credential: what it counts for.
pub trait CredentialKind: Send + Sync {
    /// Its type.
    fn kind(&self) -> CredentialType;

    /// What a stored credential of this type is good for, going by its data alone. A credential that has an identifier
    /// but no secret is good for nothing.
    fn usable(&self, credential: &Credential) -> Usable;

    /// How many first factors a stored credential holds, where it can hold several.
    fn first_factors(&self, credential: &Credential) -> usize {
        usize::from(self.usable(credential).first)
    }
}

/// Which part of signing in a form is for.
#[derive(Clone, Copy, Debug)]
pub enum LoginStage<'a> {
    /// Anybody, all first factors at once.
    First,
    /// Identifier-first sign-in after the identifier: the methods that fit whoever it names. `None`: nobody, or nobody may
    /// know, and every method shows itself.
    Identified {
        /// What was typed.
        identifier: &'a str,
        /// Whose it is.
        who: Option<&'a IdentityWithCredentials>,
    },
    /// Somebody signed in proves themselves again.
    Refresh(&'a IdentityWithCredentials),
    /// Somebody signed in proves a second factor.
    Second(&'a IdentityWithCredentials),
}

/// What came of a login submit.
pub enum LoginOutcome {
    /// Somebody proved themselves.
    Proved(Box<Proved>),
    /// Nothing yet: the flow is shown again, with status 400 to scripts and apps if `false`.
    ShowUi,
    /// A challenge is to be sent: the changes are saved together with the flow, which waits for the answer then.
    Challenged(Box<Changes>),
    /// The form is another one now, which takes a page: the flow is saved, and a script is told where its page is.
    ShowPage,
    /// The person is sent elsewhere; the flow is saved with what the method remembers, and waits for their return.
    Left(Box<Reply>),
    /// Somebody proved who they are, and has no account: a flow of signing up takes this one's place.
    SignUp,
    /// The method answers by itself.
    Answered(Box<Reply>),
}

/// Whether the nodes of a form stand where they were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arranged {
    /// They do.
    Already,
    /// They are to be sorted.
    ToSort,
}

/// Somebody proved themselves.
pub struct Proved {
    /// Who.
    pub who: IdentityWithCredentials,
    /// By what.
    pub proof: AuthenticationMethod,
    /// What the proof itself changes: a used step, a raised counter. Guards stand here, so that a one-time thing counts once.
    pub changes: Changes,
    /// What is done besides and may fail without harm: a password hash brought up to date.
    pub best_effort: Changes,
    /// What of the person the answer shows.
    pub shown: Parts,
}

impl Proved {
    /// Somebody who proved themselves, shown as people see themselves, with nothing done besides.
    #[must_use]
    pub fn new(who: IdentityWithCredentials, proof: AuthenticationMethod, changes: Changes) -> Self {
        Self { who, proof, changes, best_effort: Changes::new(), shown: Parts::PUBLIC }
    }
}

/// What a method can do in login.
#[async_trait]
pub trait LoginMethod: Send + Sync {
    /// The levels of proof that it gives under a configuration.
    fn serves(&self, config: &Config, level: Aal) -> bool;

    /// Adds its nodes to the form.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError>;

    /// Adds its nodes to the first form of identifier-first sign-in, which asks who somebody is.
    fn populate_unidentified(&self, _cx: &Cx, _flow: &mut Flow, _ui: &mut Ui) {}

    /// Whether the method itself makes sure that a submit is the browser's own, so that no anti-CSRF token is asked for.
    fn guards_itself(&self, _form: &Form) -> bool {
        false
    }

    /// Judges what somebody came back with from elsewhere.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn resume(
        &self,
        _cx: &Cx,
        _flow: &mut Flow,
        _signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        Err(FlowError::tell(message::login::no_method()))
    }

    /// Whether a flow is for joining something of this method to the account of whoever proves themselves in it.
    fn is_joining(&self, _flow: &Flow) -> bool {
        false
    }

    /// What is to be joined waits until this session has the second factor that the account takes.
    fn wait(&self, _flow: &mut Flow, _session_id: Uuid) {}

    /// Takes what waits for this session into the flow of its second factor.
    fn carry(&self, _from: &Flow, _session_id: Uuid, _to: &mut Flow) {}

    /// Changes the form where the flow is for joining.
    fn adjust(&self, _cx: &Cx, _flow: &Flow, _ui: &mut Ui) {}

    /// Brings into the account of whoever proved themselves, by any method, what this one has waiting for it in the flow, and
    /// forgets it. Gives the proofs that come with it.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] if it waits for somebody else.
    fn settle(
        &self,
        _cx: &Cx,
        _flow: &mut Flow,
        _who: &mut IdentityWithCredentials,
    ) -> Result<Vec<AuthenticationMethod>, FlowError> {
        Ok(Vec::new())
    }

    /// What it does when a flow begins in which somebody signed in proves a second factor, such as sending the only code
    /// that there is to send.
    ///
    /// # Errors
    /// Then the flow does not begin.
    async fn begin_second(
        &self,
        _cx: &Cx,
        _who: &IdentityWithCredentials,
        _session: &Session,
        _flow: &mut Flow,
        _changes: &mut Changes,
    ) -> Result<(), FlowError> {
        Ok(())
    }

    /// Whether a flow waits for the answer to a challenge of this method that was not sent anywhere, but is in the form.
    fn stands_alone(&self, _cx: &Cx, _flow: &Flow) -> bool {
        false
    }

    /// The form of a flow that waits for the answer to this method's challenge, or has got it: it stands alone. `None` if
    /// the method has no challenges, or has no use for this one any more.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate_waiting(&self, _cx: &Cx, _flow: &Flow, _ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
        Ok(None)
    }

    /// Judges a submit. Anti-CSRF was checked.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError>;

    /// Faults of the form alone, told before anti-CSRF is checked.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] with every fault.
    fn check_form(&self, _cx: &Cx, _form: &Form) -> Result<(), FlowError> {
        Ok(())
    }
}

/// What came of a settings submit.
pub enum SettingsOutcome {
    /// A change to the account, not applied yet.
    Change(Box<Change>),
    /// Nothing changes: the flow is shown again with what the method told or keeps.
    ShowUi,
    /// The method answers by itself.
    Answered(Box<Reply>),
}

/// What a method can do in settings.
#[async_trait]
pub trait SettingsMethod: Send + Sync {
    /// Adds its nodes to the form. What it puts into the flow's memory is saved.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError>;

    /// Whether somebody whose sign-in is too old is asked to sign in again even if the submit is wrong. What is wrong is told
    /// afterwards. Without this it is told at once, so that nobody signs in only to be refused.
    fn asks_first(&self) -> bool {
        false
    }

    /// What it goes on remembering in a flow in which another method's change was saved: by default nothing.
    fn outlives(&self, _memory: Value) -> Option<Value> {
        None
    }

    /// Remembers what was typed, so that a refused form comes back filled. Secrets are never remembered.
    fn keep(&self, _cx: &Cx, _who: &IdentityWithCredentials, _form: &Form, _notes: &mut Notes) {}

    /// Faults of the form alone, told before anti-CSRF is checked.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] with every fault.
    async fn check_form(&self, cx: &Cx, who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError>;

    /// Goes on with a change that leads elsewhere (`Change::proceeds`), once the sign-in is fresh. The flow is saved with what
    /// the method remembers.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn proceed(
        &self,
        _cx: &Cx,
        _who: &IdentityWithCredentials,
        _flow: &mut Flow,
        _with: &Value,
    ) -> Result<Reply, FlowError> {
        Err(FlowError::tell(message::settings::no_method()))
    }

    /// Judges what somebody came back with from elsewhere, and says what is to change.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn resume(&self, _cx: &Cx, _who: &IdentityWithCredentials, _flow: &mut Flow) -> Result<Change, FlowError> {
        Err(FlowError::tell(message::settings::no_method()))
    }

    /// Judges a submit and says what is to change. The engine decides whether that takes a fresh sign-in, so that nobody
    /// signs in again only to be refused.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError>;
}

/// Where a challenge goes.
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// Whose address it is; `None` if nobody's. The method does the same work for both.
    pub who: Option<&'a IdentityWithCredentials>,
    /// The channel.
    pub via: Via,
    /// The address, in normal form.
    pub address: &'a str,
}

impl Recipient<'_> {
    /// The id of whose address it is.
    #[must_use]
    pub fn identity_id(&self) -> Option<Uuid> {
        self.who.map(|who| who.identity.id)
    }
}

/// What came of a recovery submit.
pub enum RecoveryOutcome {
    /// Somebody proved that an account is theirs.
    Proved(Box<Recovered>),
    /// Nothing yet: the flow is shown again with what the method told.
    ShowUi,
    /// The flow is spent: a new one takes its place, with a message.
    Spent(Message),
}

/// Somebody proved that an account is theirs.
pub struct Recovered {
    /// Whose account it is.
    pub identity_id: Uuid,
    /// The address that the challenge went to, in normal form; `None` if an administrator handed it over.
    pub address: Option<(Via, String)>,
    /// The proof that the session rests on.
    pub proof: AuthenticationMethod,
    /// What the proof itself changes: the used code.
    pub changes: Changes,
    /// What somebody is told who comes second with the same proof.
    pub told_if_used: Message,
}

/// A challenge that is handed to an administrator instead of being sent.
pub struct Issued {
    /// The code, if the method has codes.
    pub code: Option<String>,
    /// Where the person goes on.
    pub link: String,
}

/// What a method can do in recovery.
#[async_trait]
pub trait RecoveryMethod: Challenge {
    /// Adds its nodes to the form.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError>;

    /// Judges the answer to a challenge.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn submit(&self, cx: &Cx, flow: &mut Flow, form: &Form) -> Result<RecoveryOutcome, FlowError>;

    /// Judges the token of a link.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn follow(&self, cx: &Cx, flow: &Flow, token: &str) -> Result<RecoveryOutcome, FlowError>;

    /// Makes a challenge for an administrator to hand over; the flow is ready for it then, and ends with it.
    fn issue(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, identity_id: Uuid) -> Issued;
}

/// What came of a verification submit.
pub enum VerificationOutcome {
    /// An address was proved.
    Proved {
        /// Whose it is.
        identity_id: Uuid,
        /// The address, in normal form.
        address: String,
        /// The channel.
        via: Via,
        /// What the proof itself changes: the used code.
        changes: Changes,
        /// What somebody is told who comes second with the same proof.
        told_if_used: Message,
    },
    /// Nothing yet: the flow is shown again with what the method told.
    ShowUi,
    /// The flow is spent: a new one takes its place, with a message.
    Spent(Message),
}

/// What a method can do in verification.
#[async_trait]
pub trait VerificationMethod: Challenge {
    /// The group of its nodes.
    fn group(&self) -> Group;

    /// The fault of an address as it was typed, if the method can tell one.
    fn check_address(&self, cx: &Cx, typed: &str) -> Option<Message>;

    /// Adds its nodes to the form, and the flow's anti-CSRF node where it belongs among them.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError>;

    /// Judges the answer to a challenge.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] tells the person what was wrong.
    async fn submit(&self, cx: &Cx, flow: &mut Flow, form: &Form) -> Result<VerificationOutcome, FlowError>;

    /// Judges the token of a link.
    ///
    /// # Errors
    /// If something that it must ask fails.
    async fn follow(&self, cx: &Cx, flow: &Flow, token: &str) -> Result<VerificationOutcome, FlowError>;
}

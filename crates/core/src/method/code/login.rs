//! Signing in by a code, and proving a second factor by one.
//!
//! A code is tied to the flow, to the identity and to the address that it went to. One mailbox is never both factors of a
//! session: as a second factor no code goes to an address by whose holder the session was begun.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::error::ApiError;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, Notes};
use portcullis_model::identity::{AddressStatus, Identity, IdentityWithCredentials, Via};
use portcullis_model::message::{self, validation};
use portcullis_model::normal;
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::codes::NewCode;
use portcullis_store::{Changes, codes, identities};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{ADDRESS, Code, ID, addresses, asks_again, check_resend, exhausted, waiting_nodes};
use crate::app::Cx;
use crate::config::Config;
use crate::courier::template::{Circumstances, LoginCode};
use crate::courier::{self, Template};
use crate::credential::code::{self, For, Judged};
use crate::credential::{address, identifier, mail_limit};
use crate::flow::engine::{self, FlowError, Form};
use crate::identity;
use crate::method::{Arranged, LoginMethod, LoginOutcome, LoginStage, Proved};

/// What a flow remembers that waits for a code.
#[derive(Clone, Serialize, Deserialize)]
struct Waiting {
    /// What was typed to get it; an e-mail address in lower case.
    identifier: String,
    /// The channel of the only address that it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<Via>,
}

impl Waiting {
    fn of(flow: &Flow) -> Option<Self> {
        serde_json::from_value(flow.methods.get(ID)?.clone()).ok()
    }
}

#[async_trait]
impl LoginMethod for Code {
    fn serves(&self, config: &Config, level: Aal) -> bool {
        let code = &config.selfservice.methods.code;
        match level {
            Aal::Aal2 => code.mfa_enabled,
            Aal::Aal1 => code.passwordless_enabled,
            Aal::Aal0 => false,
        }
    }

    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let button = || Node::submit(Group::Code, ID, message::login::send_code());
        match stage {
            LoginStage::First => {
                identifier::ask(cx, flow, ui);
                ui.nodes.push(button());
            }
            LoginStage::Identified { who, .. } => {
                if who.is_none_or(|who| !reach(cx, who).is_empty()) {
                    ui.nodes.push(button());
                }
            }
            LoginStage::Refresh(who) => {
                let reach = reach(cx, who);
                if cx.config().feature_flags.refresh_login_choose_address {
                    ui.nodes.extend(reach.iter().map(|(via, address)| address_button(*via, address)));
                } else if !reach.is_empty() {
                    // The code goes where the person says, so what another method knows of them is not enough.
                    ui.nodes.retain(|n| n.name() != Some("identifier"));
                    identifier::ask(cx, flow, ui);
                    ui.nodes.push(button());
                }
            }
            LoginStage::Second(who) => {
                let wish = via_parameter(cx, flow);
                let reach = of_credential(who).into_iter().filter(|(_, a)| wish.as_ref().is_none_or(|wish| wish == a));
                ui.nodes.extend(reach.map(|(via, address)| address_button(via, &address)));
            }
        }
        Ok(())
    }

    async fn begin_second(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        session: &Session,
        flow: &mut Flow,
        changes: &mut Changes,
    ) -> Result<(), FlowError> {
        let mut reach = of_credential(who);
        if let Some(path) = cx.request.parameter("via") {
            let wish = trait_at(&who.identity, path);
            reach.retain(|(via, address)| wish.is_some_and(|wish| normal::address(*via, wish) == *address));
            let [(_, address)] = reach.as_slice() else {
                return Err(FlowError::api(ApiError::bad_request("The trait that via names is no address for codes.")));
            };
            flow.methods.insert(ID.to_owned(), Value::String(address.clone()));
        }
        let others = cx.app.methods.enabled(cx.config()).any(|method| {
            method.id() != ID
                && method.login().is_some_and(|login| login.serves(cx.config(), Aal::Aal2))
                && method.credential().is_some_and(|kind| who.identity.factors.second.contains(&kind.kind()))
        });
        let [(via, to)] = reach.as_slice() else { return Ok(()) };
        if others || is_first_factor(cx, session, *via, to) || !mail_limit::charge_if_allowed(cx, changes, *via, to).await? {
            return Ok(());
        }
        send(cx, flow, changes, Some(who), to, &reach, None).await
    }

    async fn populate_waiting(&self, cx: &Cx, flow: &Flow, ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
        let Some(waiting) = Waiting::of(flow) else { return Ok(None) };
        let is_second = matches!(&flow.detail, Detail::Login { requested_aal: Aal::Aal2, .. });
        let told = |ids: &[u32]| flow.notes.all_messages().any(|m| ids.contains(&m.id));
        let sent = told(&[message::login::code_sent().id, message::login::code_sent_to_signed_in().id]);
        let refused = flow.state == FlowState::SentEmail
            && told(&[message::login::wrong_code().id, exhausted().id, validation::required("code").id]);
        let hidden = |group| Node::input(group, "identifier", InputType::Hidden).value(waiting.identifier.clone().into());
        let identifier = if refused {
            hidden(Group::Default)
        } else if let (true, Some(via)) = (is_second, waiting.via) {
            hidden(Group::Code).label(message::login::send_code_to(&waiting.identifier, via.as_str()))
        } else {
            hidden(Group::Default).required().label(identifier::label(cx, flow))
        };
        if !sent {
            ui.nodes.push(identifier);
            ui.nodes.extend(waiting_nodes(message::label::login_code()));
            return Ok(Some(Arranged::ToSort));
        }
        ui.nodes = vec![identifier];
        ui.nodes.extend(waiting_nodes(message::label::login_code()));
        if !flow.is_native() {
            ui.nodes.push(engine::csrf_node(cx, flow));
        }
        Ok(Some(Arranged::Already))
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        let mut notes = Notes::default();
        check_resend(form, &mut notes);
        if notes.has_messages() { Err(FlowError::Invalid(Box::new(notes))) } else { Ok(()) }
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        if flow.state == FlowState::PassedChallenge {
            return Err(FlowError::tell(message::login::no_method()));
        }
        let typed = [ADDRESS, "identifier"].into_iter().filter_map(|name| form.text(name)).find(|text| !text.is_empty());
        let waiting = Waiting::of(flow).filter(|_| flow.state == FlowState::SentEmail);
        let known = waiting.as_ref().map(|waiting| waiting.identifier.clone());
        let Some(typed) = typed.map(str::to_owned).or(known) else {
            return Err(FlowError::Invalid(Box::new(identifier_missing(flow))));
        };
        let stage = Stage::of(flow, signed_in);
        if waiting.is_none() || asks_again(form) {
            return self.ask(cx, flow, form, &typed, &stage).await;
        }
        let code = form.text("code").filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| FlowError::tell_at("code", validation::required("code")))?;
        let wrong = || FlowError::tell(message::login::wrong_code());
        let found = match code::judge(cx, FlowKind::Login, flow.id, code).await.map_err(FlowError::Store)? {
            Judged::Right(found) => found,
            Judged::Wrong | Judged::Used => return Err(wrong()),
            Judged::Exhausted => return Err(FlowError::tell(exhausted())),
        };
        let who = find(cx, &typed, &stage).await?.filter(|who| found.identity_id == Some(who.identity.id)).ok_or_else(wrong)?;
        if stage.session.is_some_and(|session| is_first_factor(cx, session, found.via, &found.address)) {
            return Err(wrong());
        }
        flow.state = FlowState::PassedChallenge;
        Ok(LoginOutcome::Proved(Box::new(proved(cx, who, *found, stage.level))))
    }
}

impl Code {
    /// Sends a code to whoever the identifier names.
    async fn ask(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        typed: &str,
        stage: &Stage<'_>,
    ) -> Result<LoginOutcome, FlowError> {
        let nobody = || FlowError::tell(message::login::no_code_account());
        let who = find(cx, typed, stage).await?;
        let mut reach = match &who {
            Some(who) => targets(cx, who, typed),
            None => Vec::new(),
        };
        if let Some(session) = stage.session {
            reach.retain(|(via, address)| !is_first_factor(cx, session, *via, address));
        }
        if reach.is_empty() {
            let via = address::via_of(typed);
            // Only where it is not told who is known does an unknown address look like a known one.
            if !cx.config().security.account_enumeration.mitigate || stage.owner.is_some() {
                return Err(nobody());
            }
            reach.push((via, normal::address(via, typed)));
        }
        let payload = engine::transient_payload(form)?;
        let mut changes = Changes::new();
        for (via, address) in &reach {
            mail_limit::charge(cx, &mut changes, *via, address).await?;
        }
        let who = who.filter(|who| !targets(cx, who, typed).is_empty());
        send(cx, flow, &mut changes, who.as_ref(), typed, &reach, Some(&payload)).await?;
        Ok(LoginOutcome::Challenged(Box::new(changes)))
    }
}

/// Who is to prove themselves, and how surely.
struct Stage<'a> {
    level: Aal,
    /// Whose flow it is, where somebody signed in proves themselves again or a second factor.
    owner: Option<Uuid>,
    /// The session that a second factor is added to.
    session: Option<&'a Session>,
}

impl<'a> Stage<'a> {
    fn of(flow: &Flow, signed_in: Option<(&'a Session, &Identity)>) -> Self {
        let (level, again) = match &flow.detail {
            Detail::Login { requested_aal, refresh, .. } => (*requested_aal, *refresh),
            _ => (Aal::Aal1, false),
        };
        let about_owner = again || level == Aal::Aal2;
        Self {
            level,
            owner: signed_in.filter(|_| about_owner).map(|(_, identity)| identity.id),
            session: signed_in.filter(|_| level == Aal::Aal2).map(|(session, _)| session),
        }
    }
}

/// The account that an identifier names, if codes can be sent to it and the flow is not about somebody else.
async fn find(cx: &Cx, typed: &str, stage: &Stage<'_>) -> Result<Option<IdentityWithCredentials>, FlowError> {
    let wanted = normal::identifier(typed);
    let lookup = |kinds: Vec<CredentialType>| async move {
        identities::find_by_identifier(cx.store(), &kinds, &normal::identifier(typed)).await.map_err(FlowError::Store)
    };
    let mut found = lookup(vec![CredentialType::Code]).await?;
    if has_fallback(cx) && normal::is_email(&wanted) {
        // Also for those who were found already: the work tells nobody who is known.
        let by_any = lookup(cx.app.methods.credentials().map(|kind| kind.kind()).collect()).await?;
        found = found.or(by_any);
    }
    Ok(found.filter(|who| stage.owner.is_none_or(|owner| owner == who.identity.id)))
}

fn has_fallback(cx: &Cx) -> bool {
    cx.config().selfservice.methods.code.config.missing_credential_fallback_enabled
}

/// The addresses of an account that codes go to.
fn of_credential(who: &IdentityWithCredentials) -> Vec<(Via, String)> {
    who.credential(CredentialType::Code).map(addresses).unwrap_or_default()
}

/// As [`of_credential`], and where the configuration allows it the e-mail addresses by which accounts without it sign in.
fn reach(cx: &Cx, who: &IdentityWithCredentials) -> Vec<(Via, String)> {
    let mut reach = of_credential(who);
    if reach.is_empty() && has_fallback(cx) {
        for identifier in who.credentials.iter().flat_map(|c| &c.identifiers).filter(|i| normal::is_email(i)) {
            if !reach.iter().any(|(_, known)| known == identifier) {
                reach.push((Via::Email, identifier.clone()));
            }
        }
    }
    reach
}

/// Where codes go for an identifier: to that address alone if it is one of the account's, else to all of them.
fn targets(cx: &Cx, who: &IdentityWithCredentials, typed: &str) -> Vec<(Via, String)> {
    let reach = reach(cx, who);
    let wanted = normal::identifier(typed);
    match reach.iter().find(|(_, address)| *address == wanted) {
        Some(one) => vec![one.clone()],
        None => reach,
    }
}

/// Whether a session was begun by whoever holds an address: then the same address proves nothing more.
fn is_first_factor(cx: &Cx, session: &Session, via: Via, to: &str) -> bool {
    let mailbox = address::mailbox(cx, via, to);
    session.methods.iter().any(|m| m.aal == Aal::Aal1 && m.mailbox.as_deref() == Some(mailbox.as_str()))
}

/// Sends each address a code of its own. Without an account nothing is sent, and the same work done.
async fn send(
    cx: &Cx,
    flow: &mut Flow,
    changes: &mut Changes,
    who: Option<&IdentityWithCredentials>,
    typed: &str,
    reach: &[(Via, String)],
    payload: Option<&Value>,
) -> Result<(), FlowError> {
    codes::drop_of_flow(changes, flow.id);
    for (via, address) in reach {
        let (purpose, expires_at, via) = (FlowKind::Login, code::expires_at(cx), *via);
        let identity_id = who.map(|who| who.identity.id);
        let secret = code::issue(cx, changes, &For { purpose, flow_id: flow.id, identity_id, address, via, expires_at });
        if let Some(who) = who {
            let mail = LoginCode::new(cx, Circumstances::new(&flow.request_url, payload), &who.identity, secret);
            courier::enqueue(cx, changes, &Template::LoginCodeValid(mail), via, address);
        }
    }
    let identifier = if typed.contains('@') { typed.to_lowercase() } else { typed.to_owned() };
    let via = match reach {
        [(via, _)] => Some(*via),
        _ => None,
    };
    // A struct of texts can always be written as JSON.
    flow.methods.insert(ID.to_owned(), serde_json::to_value(Waiting { identifier, via }).unwrap_or_default());
    flow.state = FlowState::SentEmail;
    flow.active = Some(ID.to_owned());
    flow.notes = Notes::default();
    let again = matches!(&flow.detail, Detail::Login { requested_aal, refresh, .. } if *refresh || *requested_aal == Aal::Aal2);
    flow.notes.tell(if again { message::login::code_sent_to_signed_in() } else { message::login::code_sent() });
    Ok(())
}

/// The right code was brought: the address that it went to is verified by it.
fn proved(cx: &Cx, mut who: IdentityWithCredentials, code: NewCode, level: Aal) -> Proved {
    let mut changes = Changes::new();
    codes::consume(&mut changes, code.id, cx.now);
    let before = who.clone();
    let theirs = who.identity.verifiable_addresses.iter_mut();
    for found in theirs.filter(|a| a.via == code.via && a.value == code.address && !a.verified) {
        found.verified = true;
        found.status = AddressStatus::Completed;
        found.verified_at = Some(cx.now);
        found.updated_at = cx.now;
    }
    if who != before {
        identity::update(&mut changes, &before, &who);
        // As the update leaves it.
        who.identity.version += 1;
    }
    let proof = AuthenticationMethod::new(ID, level, cx.now).by_holder_of(address::mailbox(cx, code.via, &code.address));
    Proved::new(who, proof, changes)
}

/// What is told where neither identifier nor address was sent. A form without the field gets one.
fn identifier_missing(flow: &Flow) -> Notes {
    let mut notes = Notes::default();
    notes.tell_at("identifier", validation::required("identifier"));
    if let (Detail::Login { requested_aal: Aal::Aal2, .. }, Some(note)) = (&flow.detail, notes.nodes.get_mut("identifier")) {
        note.group = Some(Group::Default);
    }
    notes
}

/// The button that sends the code to an address.
fn address_button(via: Via, address: &str) -> Node {
    Node::input(Group::Code, ADDRESS, InputType::Submit)
        .value(address.into())
        .label(message::login::send_code_to(address, via.as_str()))
}

/// The address to which the parameter `via` narrows a flow that has not sent anything yet.
fn via_parameter(_cx: &Cx, flow: &Flow) -> Option<String> {
    flow.methods.get(ID).and_then(Value::as_str).map(str::to_owned)
}

/// The text of a trait, by its path with dots.
fn trait_at<'a>(identity: &'a Identity, path: &str) -> Option<&'a str> {
    path.split('.').try_fold(&identity.traits, |value, step| value.get(step))?.as_str()
}

//! The form of a login flow: whose buttons and fields it has at which step.

use portcullis_model::flow::{Flow, FlowState};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::session::Aal;
use portcullis_model::ui::{Ui, order};

use super::{asked_for, identifier_first};
use crate::app::Cx;
use crate::config::flows::LoginStyle;
use crate::flow::engine::{self, FlowError, Shown};
use crate::method::{Arranged, LoginStage, Method};

/// The form of a login flow. `who`: whoever is to prove themselves again.
pub(super) async fn shown(cx: &Cx, flow: &mut Flow, who: Option<&IdentityWithCredentials>) -> Result<Shown, FlowError> {
    let mut ui = engine::ui_for(cx, flow);
    if let Some(arranged) = populate_waiting(cx, flow, &mut ui).await? {
        engine::dress(flow, &mut ui);
        if arranged == Arranged::ToSort {
            order::sort_login(&mut ui);
        }
        return Ok(Shown::plain(ui));
    }
    let (level, refresh) = asked_for(flow);
    let identified = identifier_first::identified(cx, flow).await?;
    let all = cx.app.methods.enabled(cx.config()).filter_map(|m| m.login());
    let joins: Vec<_> = all.filter(|login| login.is_joining(flow)).collect();
    let stage = match (level, refresh, who) {
        (Aal::Aal2, _, Some(who)) => Some(LoginStage::Second(who)),
        (_, true, Some(who)) => Some(LoginStage::Refresh(who)),
        _ if !joins.is_empty() => Some(LoginStage::First),
        _ if cx.config().selfservice.flows.login.style == LoginStyle::IdentifierFirst => match &identified {
            Some(identified) => {
                identifier_first::push_told(cx, flow, &identified.identifier, &mut ui);
                Some(LoginStage::Identified { identifier: &identified.identifier, who: identified.who.as_ref() })
            }
            None => {
                identifier_first::push_question(cx, flow, &mut ui);
                for login in cx.app.methods.enabled(cx.config()).filter_map(|m| m.login()) {
                    login.populate_unidentified(cx, flow, &mut ui);
                }
                None
            }
        },
        _ => Some(LoginStage::First),
    };
    if let Some(stage) = stage {
        for method in cx.app.methods.enabled(cx.config()) {
            if let Some(login) = method.login()
                && login.serves(cx.config(), level)
            {
                login.populate(cx, stage, flow, &mut ui).await?;
            }
        }
    }
    // Apps have no use for a token without anything to send it with.
    if flow.is_native() && ui.nodes.len() == 1 {
        ui.nodes.clear();
    }
    engine::dress(flow, &mut ui);
    for login in joins.into_iter().filter(|_| level == Aal::Aal1) {
        login.adjust(cx, flow, &mut ui);
    }
    order::sort_login(&mut ui);
    if identified.is_some_and(|identified| identified.who.is_some()) {
        order::providers_last(&mut ui);
    }
    Ok(Shown::plain(ui))
}

/// The form of the method whose challenge waits for an answer, or has got it; `None` if none does.
async fn populate_waiting(cx: &Cx, flow: &Flow, ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
    let was_sent = matches!(flow.state, FlowState::SentEmail | FlowState::PassedChallenge);
    let waits = |method: &&dyn Method| match flow.active.as_deref() {
        Some(active) if was_sent => active == method.id(),
        _ => !was_sent && method.login().is_some_and(|login| login.stands_alone(cx, flow)),
    };
    match cx.app.methods.enabled(cx.config()).find(waits).and_then(|m| m.login()) {
        Some(login) => login.populate_waiting(cx, flow, ui).await,
        None => Ok(None),
    }
}

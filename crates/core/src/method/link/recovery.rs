//! Getting back into an account by a link.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind};
use portcullis_model::identity::Via;
use portcullis_model::message::{self, validation};
use portcullis_model::ui::Ui;
use portcullis_store::Changes;
use uuid::Uuid;

use super::{Link, ask_for_address};
use crate::app::Cx;
use crate::credential::code::For;
use crate::credential::link::{self, Followed};
use crate::flow::engine::{FlowError, Form};
use crate::method::{Issued, RecoveryMethod, RecoveryOutcome};

/// The method of a session that a recovery link began.
const PROOF: &str = "link_recovery";

#[async_trait]
impl RecoveryMethod for Link {
    async fn populate(&self, _cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        if let Detail::Recovery { address, .. } = &flow.detail {
            ask_for_address(address.as_deref(), ui);
        }
        Ok(())
    }

    async fn submit(&self, _cx: &Cx, _flow: &mut Flow, _form: &Form) -> Result<RecoveryOutcome, FlowError> {
        Err(FlowError::tell_at("email", validation::required("email")))
    }

    async fn follow(&self, cx: &Cx, flow: &Flow, token: &str) -> Result<RecoveryOutcome, FlowError> {
        let wrong = message::recovery::wrong_link();
        match link::follow(cx, FlowKind::Recovery, flow.id, token).await.map_err(FlowError::Store)? {
            Followed::Right(found) => Ok(RecoveryOutcome::proved_by(cx, PROOF, *found, wrong)),
            Followed::Wrong => Ok(RecoveryOutcome::Spent(wrong)),
            Followed::Late(ended) => Ok(RecoveryOutcome::Spent(message::recovery::expired(ended))),
        }
    }

    fn issue(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, identity_id: Uuid) -> Issued {
        let what = For {
            purpose: FlowKind::Recovery,
            flow_id: flow.id,
            identity_id: Some(identity_id),
            address: "",
            via: Via::Email,
            expires_at: flow.expires_at,
        };
        Issued { code: None, link: link::issue(cx, changes, &what) }
    }
}

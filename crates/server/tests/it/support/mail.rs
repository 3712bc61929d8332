//! The mails that wait to be sent: what only their recipients see.

use portcullis_core::crypto::Purpose;
use portcullis_store::outbox;
use serde_json::Value;

use super::TestApp;

/// A mail or text message.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) template: String,
    /// What its template is filled with.
    pub(crate) data: Value,
}

impl Mail {
    /// The code in it.
    pub(crate) fn code(&self) -> String {
        self.first(&["verification_code", "recovery_code", "login_code", "registration_code"])
    }

    /// The link in it.
    pub(crate) fn link(&self) -> String {
        self.first(&["verification_url", "recovery_url"])
    }

    fn first(&self, names: &[&str]) -> String {
        let found = names.iter().find_map(|name| self.data[*name].as_str());
        found.unwrap_or_else(|| panic!("none of {names:?}: {self:?}")).to_owned()
    }
}

impl TestApp {
    /// All mails, oldest first.
    pub(crate) async fn mails(&self) -> Vec<Mail> {
        let keys = &self.app.snapshot.load().keys;
        let mut mails = outbox::list(&self.app.store, None, None, None, 500).await.unwrap();
        mails.sort_by_key(|m| (m.created_at, m.id));
        mails
            .iter()
            .map(|m| {
                let data = keys.open(Purpose::Outbox, m.id.as_bytes(), &m.sealed_data).unwrap();
                Mail { to: m.recipient.clone(), template: m.template.clone(), data: serde_json::from_slice(&data).unwrap() }
            })
            .collect()
    }

    /// The newest mail to somebody.
    pub(crate) async fn newest_mail(&self, to: &str) -> Mail {
        let mails = self.mails().await;
        mails.iter().rfind(|m| m.to == to).unwrap_or_else(|| panic!("no mail to {to}: {mails:?}")).clone()
    }
}

//! What the owner of an account is told about a change of it.

use portcullis_model::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::template::Circumstances;

/// A password, an address or a factor changed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingsChanged {
    /// What changed, at least one thing.
    pub changes: Vec<Told>,
    /// When the last of it changed.
    pub changed_at: Timestamp,
    /// The client's address; empty if it is not known.
    pub client_ip: String,
    /// The client's `User-Agent`; empty if it is not known.
    pub user_agent: String,
    /// City and country of the client, as a proxy in front tells them; empty if it is not known.
    pub location: String,
    /// Whether an administrator made the change. Then nothing is told of the client.
    pub by_administrator: bool,
    /// Where the account can be recovered by the address that this goes to; `None` if it cannot.
    pub recovery_url: Option<String>,
    /// Where the account can be put in order by somebody who can still sign in; `None` if the recipient's address is not the
    /// account's any more.
    pub settings_url: Option<String>,
    /// The identity, as the API shows it, after the change.
    pub identity: Value,
    /// Which request made it.
    #[serde(flatten)]
    pub circumstances: Circumstances,
}

impl SettingsChanged {
    /// Puts an earlier notice that was not sent yet in front of this one, so that both become one message. `false`, and
    /// nothing happened, if it is of another identity or was caused by another client.
    #[must_use]
    pub fn follow(&mut self, earlier: Self) -> bool {
        let who = |notice: &Self| (notice.identity.get("id").cloned(), notice.client_ip.clone(), notice.user_agent.clone());
        if who(self) != who(&earlier) {
            return false;
        }
        let later = std::mem::replace(&mut self.changes, earlier.changes);
        for told in later {
            if !self.changes.contains(&told) {
                self.changes.push(told);
            }
        }
        true
    }
}

/// A change with its particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What changed.
    pub change: Change,
    /// The address that it is about, masked: this may be read by whoever has an old address now.
    pub address: Option<String>,
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        Self { change, address: None }
    }
}

/// What is kept of a [`Told`], and what templates see of it. `text` follows from `id`.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    #[serde(default)]
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (id, text) = self.change.words();
        Kept { id: id.to_owned(), text: text.to_owned(), address: self.address.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::deserialize(deserializer)?;
        let change = Change::ALL.into_iter().find(|change| change.words().0 == kept.id);
        let change = change.ok_or_else(|| de::Error::custom("this change is not known to this version"))?;
        Ok(Self { change, address: kept.address })
    }
}

/// A change that its owner is told of. Templates see `id` and `text`, so that they can say it in another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A password was set or changed.
    Password,
    /// The password was removed.
    PasswordRemoved,
    /// A name to sign in with, which is no address, was changed.
    Identifier,
    /// An address was added.
    AddressAdded,
    /// An address was removed.
    AddressRemoved,
    /// An authenticator app was set up.
    TotpAdded,
    /// The authenticator app was removed.
    TotpRemoved,
    /// New recovery codes replaced the old ones.
    LookupSecretsSet,
    /// The recovery codes were removed.
    LookupSecretsRemoved,
    /// A security key was added.
    SecurityKeyAdded,
    /// A security key was removed.
    SecurityKeyRemoved,
    /// A security key behaved like a copy: its signature counter went backwards.
    SecurityKeySuspicious,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// A social sign-in was linked.
    SocialSignInAdded,
    /// A social sign-in was unlinked.
    SocialSignInRemoved,
    /// Another credential was added or changed.
    OtherSet,
    /// Another credential was removed.
    OtherRemoved,
}

impl Change {
    /// All changes.
    pub const ALL: [Self; 18] = [
        Self::Password,
        Self::PasswordRemoved,
        Self::Identifier,
        Self::AddressAdded,
        Self::AddressRemoved,
        Self::TotpAdded,
        Self::TotpRemoved,
        Self::LookupSecretsSet,
        Self::LookupSecretsRemoved,
        Self::SecurityKeyAdded,
        Self::SecurityKeyRemoved,
        Self::SecurityKeySuspicious,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::SocialSignInAdded,
        Self::SocialSignInRemoved,
        Self::OtherSet,
        Self::OtherRemoved,
    ];

    /// The word and the sentence that templates see.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Password => ("password", "Your password was changed."),
            Self::PasswordRemoved => ("password_removed", "Your password was removed."),
            Self::Identifier => ("identifier", "The name that you sign in with was changed."),
            Self::AddressAdded => ("address_added", "An address was added to your account."),
            Self::AddressRemoved => ("address_removed", "An address was removed from your account."),
            Self::TotpAdded => ("totp_added", "An authenticator app was set up."),
            Self::TotpRemoved => ("totp_removed", "Your authenticator app was removed."),
            Self::LookupSecretsSet => ("lookup_secrets_set", "New backup recovery codes were made."),
            Self::LookupSecretsRemoved => ("lookup_secrets_removed", "Your backup recovery codes were removed."),
            Self::SecurityKeyAdded => ("security_key_added", "A security key was added."),
            Self::SecurityKeyRemoved => ("security_key_removed", "A security key was removed."),
            Self::SecurityKeySuspicious => {
                ("security_key_suspicious", "A security key was used that may have been copied. Please replace it.")
            }
            Self::PasskeyAdded => ("passkey_added", "A passkey was added."),
            Self::PasskeyRemoved => ("passkey_removed", "A passkey was removed."),
            Self::SocialSignInAdded => ("social_sign_in_added", "A social sign-in was linked."),
            Self::SocialSignInRemoved => ("social_sign_in_removed", "A social sign-in was unlinked."),
            Self::OtherSet => ("other_set", "A way to sign in was changed."),
            Self::OtherRemoved => ("other_removed", "A way to sign in was removed."),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(identity: &str, ip: &str, changes: Vec<Told>) -> SettingsChanged {
        SettingsChanged {
            changes,
            changed_at: Timestamp::from_seconds(1_800_000_000),
            client_ip: ip.into(),
            user_agent: "Browser".into(),
            location: String::new(),
            by_administrator: false,
            recovery_url: None,
            settings_url: Some("https://id.example.org/settings".into()),
            identity: json!({ "id": identity }),
            circumstances: Circumstances::new("https://id.example.org/", None),
        }
    }

    #[test]
    fn every_change_is_found_again_by_its_word() {
        for change in Change::ALL {
            for address in [None, Some("ad****@example.org".to_owned())] {
                let told = Told { change, address };
                let kept = serde_json::to_value(&told).expect("JSON");
                assert!(kept["text"].as_str().is_some_and(|t| t.ends_with('.')), "{kept}");
                assert_eq!(serde_json::from_value::<Told>(kept).ok(), Some(told));
            }
        }
        let mut words: Vec<_> = Change::ALL.iter().map(|c| c.words().0).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Change::ALL.len(), "no two have the same word");
        assert!(serde_json::from_value::<Told>(json!({ "id": "hat_added" })).is_err());
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let told = notice("a", "192.0.2.1", vec![Change::Password.into()]);
        let kept = serde_json::to_value(&told).expect("JSON");
        assert!(serde_json::from_value::<SettingsChanged>(kept).is_ok_and(|read| read == told));
    }

    #[test]
    fn changes_of_one_person_by_one_client_become_one_notice() {
        let earlier = notice("a", "192.0.2.1", vec![Change::Password.into(), Change::TotpAdded.into()]);
        let mut later = notice("a", "192.0.2.1", vec![Change::TotpAdded.into(), Change::LookupSecretsSet.into()]);
        assert!(later.follow(earlier.clone()));
        assert_eq!(
            later.changes.iter().map(|t| t.change).collect::<Vec<_>>(),
            [Change::Password, Change::TotpAdded, Change::LookupSecretsSet]
        );
        for (identity, ip) in [("b", "192.0.2.1"), ("a", "192.0.2.9")] {
            let mut other = notice(identity, ip, vec![Change::Password.into()]);
            assert!(!other.follow(earlier.clone()) && other.changes.len() == 1, "{identity} {ip}");
        }
    }
}

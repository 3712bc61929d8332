//! Secrets: whether there are some, and whether they could be guessed.

use std::collections::BTreeSet;

use portcullis_core::config::{Config, Secret};

use super::Findings;
use super::addresses::is_local;

/// Words of examples and of haste. A secret that holds one was not made by chance.
const WORDS: [&str; 12] = [
    "change",
    "secret",
    "password",
    "example",
    "lorem",
    "default",
    "insecure",
    "please",
    "kratos",
    "portcullis",
    "12345678",
    "qwerty",
];

/// Fewer different characters than this are no chance, whatever the length.
const VARIETY: usize = 8;

/// A secret of this many characters of base64 or hexadecimal digits cannot be guessed.
const LENGTH: usize = 32;

pub(super) fn examine(config: &Config, found: &mut Findings) {
    let secrets = &config.secrets;
    let is_public = !is_local(config.public_base_url());
    if secrets.default.is_empty() && secrets.cookie.is_empty() {
        found.serious(
            "secrets.default",
            "there is none, so one is made up at every start: people are signed out, and what waits to be sent is lost",
            "write one of 32 random characters: openssl rand -base64 24",
        );
    }
    let lists = [
        ("default", &secrets.default),
        ("cookie", &secrets.cookie),
        ("cipher", &secrets.cipher),
        ("pagination", &secrets.pagination),
    ];
    for (name, list) in lists {
        for (place, secret) in list.iter().enumerate() {
            let key = format!("secrets.{name}.{place}");
            match weakness(secret) {
                Some(why) if is_public => found.serious(
                    &key,
                    why,
                    "make another by chance, put it in front and keep this one behind it until sessions have ended",
                ),
                Some(why) => found.warn(&key, why, "make another by chance before anybody else can reach the server"),
                None if secret.expose().len() < LENGTH => {
                    found.warn(&key, format!("it has {} characters", secret.expose().len()), "use 32 random ones");
                }
                None => {}
            }
        }
    }
    for (n, (name, list)) in lists.iter().enumerate() {
        for (other, others) in lists.iter().skip(n + 1) {
            if list.iter().any(|secret| others.contains(secret)) {
                found.warn(
                    &format!("secrets.{other}"),
                    format!("it shares a secret with secrets.{name}: who learns one has both"),
                    "make one for each",
                );
            }
        }
    }
    let methods = &config.selfservice.methods;
    if secrets.cipher.is_empty() && (methods.totp.enabled || methods.lookup_secret.enabled || methods.oidc.enabled) {
        found.note(
            "secrets.cipher",
            "there is none: second factors and providers' tokens are encrypted under secrets.default",
            "write one of exactly 32 random characters",
        );
    }
}

/// Why a secret could be guessed, without a word of what it is.
fn weakness(secret: &Secret) -> Option<String> {
    let text = secret.expose().to_lowercase();
    let different: BTreeSet<char> = text.chars().collect();
    if different.len() < VARIETY {
        return Some(format!("it is made of {} different characters only", different.len()));
    }
    WORDS.iter().any(|word| text.contains(word)).then(|| "it holds words of examples: nobody made it by chance".to_owned())
}

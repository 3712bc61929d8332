//! What a provider says of a person: the claims that have a name of their own (OpenID Connect Core 1.0, section 5.1, and a
//! few that providers add), and everything as it came.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kind of value that a known claim has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// True, or the text `true`; anything else is as if it were absent.
    Truth,
    Number,
    /// A text, or an object with `language` and `country`.
    Locale,
    Texts,
}

const KNOWN: [(&str, Shape); 27] = [
    ("iss", Shape::Text),
    ("sub", Shape::Text),
    ("oid", Shape::Text),
    ("name", Shape::Text),
    ("given_name", Shape::Text),
    ("family_name", Shape::Text),
    ("last_name", Shape::Text),
    ("middle_name", Shape::Text),
    ("nickname", Shape::Text),
    ("preferred_username", Shape::Text),
    ("profile", Shape::Text),
    ("picture", Shape::Text),
    ("website", Shape::Text),
    ("email", Shape::Text),
    ("email_verified", Shape::Truth),
    ("gender", Shape::Text),
    ("birthdate", Shape::Text),
    ("zoneinfo", Shape::Text),
    ("locale", Shape::Locale),
    ("phone_number", Shape::Text),
    ("phone_number_verified", Shape::Truth),
    ("updated_at", Shape::Number),
    ("hd", Shape::Text),
    ("team", Shape::Text),
    ("nonce", Shape::Text),
    ("nonce_supported", Shape::Truth),
    ("acr", Shape::Text),
];

/// The claims of a person. The subject is never empty.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    known: Map<String, Value>,
    raw: Map<String, Value>,
}

impl Claims {
    /// The claims of a token or of a profile that is written like one. `None` if they name nobody.
    #[must_use]
    pub fn of(raw: Map<String, Value>) -> Option<Self> {
        let known = raw.clone();
        Self::named(known, raw)
    }

    /// Claims of a profile in a provider's own words, with what they mean. `None` if they name nobody.
    #[must_use]
    pub fn named(meant: Map<String, Value>, raw: Map<String, Value>) -> Option<Self> {
        let mut known = Map::new();
        for (name, shape) in KNOWN {
            if let Some(value) = meant.get(name).and_then(|value| read(value, shape)) {
                known.insert(name.to_owned(), value);
            }
        }
        if let Some(amr) = meant.get("amr").and_then(|value| read(value, Shape::Texts)) {
            known.insert("amr".to_owned(), amr);
        }
        known.contains_key("sub").then_some(Self { known, raw })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.known.get(name).and_then(Value::as_str)
    }

    /// Who the person is to the provider.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// With another subject than the provider's usual one.
    #[must_use]
    pub fn with_subject(mut self, subject: &str) -> Self {
        self.known.insert("sub".to_owned(), subject.into());
        self
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.text("nonce")
    }

    /// Whether the client that got the token could have sent a nonce, as Apple tells.
    #[must_use]
    pub fn is_nonce_supported(&self) -> bool {
        self.known.get("nonce_supported") == Some(&Value::Bool(true))
    }

    /// How the person proved themselves there: the class (`acr`).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.text("acr")
    }

    /// How the person proved themselves there: the methods (`amr`).
    #[must_use]
    pub fn amr(&self) -> Vec<&str> {
        self.known
            .get("amr")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// Everything as it came.
    #[must_use]
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }

    /// What a mapper sees: the known claims that are there and not empty, and `raw_claims`.
    #[must_use]
    pub fn for_mapper(&self) -> Value {
        let mut out = self.known.clone();
        out.insert("raw_claims".to_owned(), Value::Object(self.raw.clone()));
        Value::Object(out)
    }
}

fn read(value: &Value, shape: Shape) -> Option<Value> {
    match (shape, value) {
        (Shape::Text | Shape::Locale, Value::String(text)) if !text.is_empty() => Some(value.clone()),
        (Shape::Truth, Value::Bool(true)) => Some(json!(true)),
        (Shape::Truth, Value::String(text)) if text == "true" => Some(json!(true)),
        (Shape::Number, Value::Number(number)) if number.as_f64() != Some(0.0) => Some(value.clone()),
        (Shape::Locale, Value::Object(parts)) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_str).filter(|p| !p.is_empty());
            match (part("language"), part("country")) {
                (Some(language), Some(country)) => Some(json!(format!("{language}-{country}"))),
                (Some(one), None) | (None, Some(one)) => Some(json!(one)),
                (None, None) => None,
            }
        }
        (Shape::Texts, Value::Array(list)) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            (!texts.is_empty()).then(|| json!(texts))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(raw: Value) -> Option<Claims> {
        Claims::of(raw.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn known_claims_are_taken_as_what_they_are_or_not_at_all() {
        let seen = claims(json!({
            "sub": "1", "name": "", "email": 5, "email_verified": "true", "phone_number_verified": false,
            "locale": { "language": "de", "country": "DE" }, "updated_at": 0, "own": [1], "amr": ["pwd", 3],
        }))
        .map(|c| c.for_mapper())
        .unwrap_or_default();
        assert_eq!(seen["email_verified"], true);
        assert_eq!(seen["locale"], "de-DE");
        assert_eq!(seen["amr"], json!(["pwd"]));
        assert_eq!(seen["raw_claims"]["own"], json!([1]));
        for absent in ["name", "email", "phone_number_verified", "updated_at", "own"] {
            assert!(seen.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn claims_name_somebody() {
        for nobody in [json!({}), json!({ "sub": "" }), json!({ "sub": 5 }), json!({ "sub": null }), json!([])] {
            assert!(claims(nobody.clone()).is_none(), "{nobody}");
        }
    }
}

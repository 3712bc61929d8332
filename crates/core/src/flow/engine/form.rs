//! What was submitted: one shape for JSON bodies and HTML forms.

use portcullis_model::flow::{FlowKind, Notes};
use portcullis_model::message;
use portcullis_model::schema::{IdentitySchema, nest, traits_from_form};
use portcullis_model::ui::Group;
use serde_json::{Map, Value};

use super::fault::FlowError;
use super::request::{MediaType, Request};
use crate::app::Cx;

/// Why a body cannot be read. It becomes the reason of message 4000001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither JSON nor a form.
    #[error("the content type must be application/json or application/x-www-form-urlencoded")]
    MediaType,
    /// Broken JSON, or something after it.
    #[error("the body is not valid JSON")]
    Json,
    /// JSON of another kind.
    #[error("the body must be a JSON object")]
    NoObject,
}

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Not sent.
    Absent,
    /// A text, possibly empty.
    Text(&'a str),
    /// Something else than a text; it is never taken for one.
    Other(&'a Value),
}

/// A submitted form.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The fields as JSON. Of an HTML form the dotted names are nested and all values are texts.
    fields: Map<String, Value>,
    /// The pairs of an HTML form: traits are typed by their schema, and that needs the pairs.
    pairs: Option<Vec<(String, String)>>,
}

impl Form {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// If the body has another media type, or is no JSON object.
    pub fn read(request: &Request) -> Result<Self, Unreadable> {
        match request.media_type {
            MediaType::Json => match serde_json::from_slice::<Value>(&request.body) {
                Ok(Value::Object(fields)) => Ok(Self { fields, pairs: None }),
                Ok(_) => Err(Unreadable::NoObject),
                Err(_) => Err(Unreadable::Json),
            },
            MediaType::Form => {
                let pairs: Vec<(String, String)> =
                    url::form_urlencoded::parse(&request.body).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
                let fields = match nest(&pairs) {
                    Value::Object(fields) => fields,
                    _ => Map::new(),
                };
                Ok(Self { fields, pairs: Some(pairs) })
            }
            MediaType::Other => Err(Unreadable::MediaType),
        }
    }

    /// The form that a link stands for: the parameters of its query but the flow's id, where a method follows such links.
    #[must_use]
    pub fn of_link(cx: &Cx, kind: FlowKind) -> Option<Self> {
        if cx.request.method != "GET" || !cx.request.body.is_empty() {
            return None;
        }
        let pairs: Vec<(String, String)> = cx.request.query.iter().filter(|(name, _)| name != "flow").cloned().collect();
        let Value::Object(fields) = nest(&pairs) else { return None };
        let form = Self { fields, pairs: Some(pairs) };
        cx.app.methods.iter().any(|m| m.follows_links() && m.handles(kind, &form)).then_some(form)
    }

    /// A form with these fields, as if it had been sent as JSON.
    #[must_use]
    pub fn of(fields: Map<String, Value>) -> Self {
        Self { fields, pairs: None }
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether it asks for nothing: no field but the anti-CSRF token, which clients send along always.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.fields.keys().all(|name| name == "csrf_token")
    }

    /// Whether it came as an HTML form.
    #[must_use]
    pub fn is_html(&self) -> bool {
        self.pairs.is_some()
    }

    /// The value of `method`, if it is a text that is not empty.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.text("method").filter(|m| !m.is_empty())
    }

    /// A field.
    #[must_use]
    pub fn field(&self, name: &str) -> Field<'_> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Field::Absent,
            Some(Value::String(text)) => Field::Text(text),
            Some(other) => Field::Other(other),
        }
    }

    /// The text of a field; none if it is absent or something else.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            Field::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a field, whatever it is.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Whether a field was sent as true: JSON `true`, or one of the words `true`, `on`, `1`.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        match self.fields.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(word)) => matches!(word.as_str(), "true" | "on" | "1"),
            _ => false,
        }
    }

    /// The traits, typed by the schema if they came as an HTML form. `None` if none were sent. JSON traits are as they
    /// came, also when they are no object.
    #[must_use]
    pub fn traits(&self, schema: &IdentitySchema) -> Option<Value> {
        match &self.pairs {
            Some(pairs) => {
                pairs.iter().any(|(k, _)| k == "traits" || k.starts_with("traits.")).then(|| traits_from_form(schema, pairs))
            }
            None => self.fields.get("traits").filter(|v| !v.is_null()).cloned(),
        }
    }

    /// Whether an HTML form brought a field that was left or made empty.
    #[must_use]
    pub fn is_emptied(&self, name: &str) -> bool {
        let mut sent = self.pairs.iter().flatten().filter(|(k, _)| k == name).peekable();
        sent.peek().is_some() && sent.all(|(_, value)| value.is_empty())
    }

    /// What is passed on to hooks and mails and kept nowhere: `{}` if nothing was sent, `None` if it is no object.
    fn payload(&self) -> Option<Value> {
        match self.fields.get("transient_payload") {
            None | Some(Value::Null) => Some(Value::Object(Map::new())),
            Some(Value::Object(map)) => Some(Value::Object(map.clone())),
            // A form sends the payload as JSON text.
            Some(Value::String(text)) if self.is_html() => serde_json::from_str(text).ok().map(Value::Object),
            Some(_) => None,
        }
    }
}

/// What a client sends along for hooks and mails: an object, `{}` if nothing was sent.
///
/// # Errors
/// Message 4000026 at its name, if it is something else.
pub fn transient_payload(form: &Form) -> Result<Value, FlowError> {
    form.payload().ok_or_else(|| {
        let actual = form.value("transient_payload").map_or("null", json_type);
        let told = message::validation::wrong_type(&["object"], actual);
        let mut notes = Notes::default();
        notes.tell_at("transient_payload", told);
        if let Some(note) = notes.nodes.get_mut("transient_payload") {
            note.group = Some(Group::Default);
        }
        FlowError::Invalid(Box::new(notes))
    })
}

/// The JSON kind of a value, in the words of JSON Schema.
#[must_use]
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Form, Unreadable> {
        Form::read(&Request { media_type: MediaType::Json, body: body.as_bytes().to_vec(), ..Request::default() })
    }

    #[test]
    fn json_bodies_must_be_one_object() {
        assert_eq!(json("{"), Err(Unreadable::Json));
        assert_eq!(json(""), Err(Unreadable::Json));
        assert_eq!(json("{} trailing"), Err(Unreadable::Json));
        assert_eq!(json("[]"), Err(Unreadable::NoObject));
        assert_eq!(json("null"), Err(Unreadable::NoObject));
        assert!(json(r#"{"method":"password"}"#).is_ok_and(|f| f.method() == Some("password")));
    }

    #[test]
    fn only_texts_are_texts() {
        let form = json(r#"{"method":3,"password":5,"identifier":null}"#).unwrap();
        assert_eq!(form.method(), None);
        assert_eq!(form.text("password"), None);
        assert!(matches!(form.field("password"), Field::Other(_)));
        assert_eq!(form.field("identifier"), Field::Absent);
    }

    #[test]
    fn a_blank_form_has_no_field_but_the_token() {
        for (body, blank) in [
            ("{}", true),
            (r#"{"csrf_token":"x"}"#, true),
            (r#"{"method":""}"#, false),
            (r#"{"csrf_token":"x","traits":{}}"#, false),
            (r#"{"password":null}"#, false),
        ] {
            assert_eq!(json(body).unwrap().is_blank(), blank, "{body}");
        }
    }

    #[test]
    fn of_repeated_keys_the_last_counts() {
        assert_eq!(json(r#"{"method":"a","method":"b"}"#).unwrap().method(), Some("b"));
    }
}

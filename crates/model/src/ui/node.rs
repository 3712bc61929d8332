//! The parts of a form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::Message;

/// Which method (or part of the form) a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Belongs to the form as a whole, or to several methods.
    Default,
    /// Traits.
    Profile,
    /// Password.
    Password,
    /// One-time codes.
    Code,
    /// Magic links.
    Link,
    /// Social sign-in.
    Oidc,
    /// SAML sign-in.
    Saml,
    /// Authenticator app.
    Totp,
    /// Recovery codes.
    LookupSecret,
    /// Security keys.
    Webauthn,
    /// Passkeys.
    Passkey,
    /// First step of an identifier-first sign-in.
    IdentifierFirst,
    /// Captcha.
    Captcha,
    /// OAuth2 consent.
    #[serde(rename = "oauth2_consent")]
    Oauth2Consent,
}

/// The HTML type of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Plain text.
    Text,
    /// A secret.
    Password,
    /// A number.
    Number,
    /// Yes or no.
    Checkbox,
    /// Not shown.
    Hidden,
    /// An e-mail address.
    Email,
    /// A phone number.
    Tel,
    /// A button that sends the form.
    Submit,
    /// A button that runs a script.
    Button,
    /// Date and time.
    #[serde(rename = "datetime-local")]
    DatetimeLocal,
    /// A date.
    Date,
    /// A web address.
    Url,
}

/// One value that a select or a trait with `enum` offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectOption {
    /// The value.
    pub value: Value,
}

/// An input or button.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputAttributes {
    /// The field's name.
    pub name: String,
    /// The HTML type.
    #[serde(rename = "type")]
    pub kind: InputType,
    /// The field's value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<Value>,
    /// Whether the field must be filled.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub required: bool,
    /// Whether the field cannot be changed.
    pub disabled: bool,
    /// What a browser may fill in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub autocomplete: Option<String>,
    /// A regular expression that the value must match.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pattern: Option<String>,
    /// The longest value, in characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub maxlength: Option<u32>,
    /// A script to run on click (older front ends).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub onclick: Option<String>,
    /// The name of the script's entry point to run on click.
    #[serde(rename = "onclickTrigger", skip_serializing_if = "Option::is_none", default)]
    pub onclick_trigger: Option<String>,
    /// A script to run when the form is shown (older front ends).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub onload: Option<String>,
    /// The name of the script's entry point to run when the form is shown.
    #[serde(rename = "onloadTrigger", skip_serializing_if = "Option::is_none", default)]
    pub onload_trigger: Option<String>,
    /// The values that the field accepts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub options: Vec<SelectOption>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageAttributes {
    /// A name for the node.
    pub id: String,
    /// The picture, usually a data URL.
    pub src: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// A text to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextAttributes {
    /// A name for the node.
    pub id: String,
    /// The text.
    pub text: Message,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnchorAttributes {
    /// A name for the node.
    pub id: String,
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub title: Message,
}

/// A script to load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptAttributes {
    /// A name for the node.
    pub id: String,
    /// Where the script is.
    pub src: String,
    /// Always true.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// How referrers are sent.
    pub referrerpolicy: String,
    /// How cross-origin requests are made.
    pub crossorigin: String,
    /// Subresource integrity.
    pub integrity: String,
    /// The script's media type.
    #[serde(rename = "type")]
    pub kind: String,
    /// For content security policies.
    pub nonce: String,
}

/// What a node is, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "node_type", rename_all = "lowercase")]
pub enum Attributes {
    /// An input or button.
    Input(InputAttributes),
    /// A picture.
    #[serde(rename = "img")]
    Image(ImageAttributes),
    /// A text.
    Text(TextAttributes),
    /// A link.
    #[serde(rename = "a")]
    Anchor(AnchorAttributes),
    /// A script.
    Script(ScriptAttributes),
}

/// What surrounds a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Meta {
    /// The label.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<Message>,
}

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `input`, `img`, `text`, `a` or `script`; equal to the attributes' `node_type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which method it belongs to.
    pub group: Group,
    /// What it is.
    pub attributes: Attributes,
    /// Messages about this node.
    pub messages: Vec<Message>,
    /// Its label.
    pub meta: Meta,
}

impl Node {
    /// An input of a name.
    #[must_use]
    pub fn input(group: Group, name: impl Into<String>, kind: InputType) -> Self {
        Self {
            kind: "input".to_owned(),
            group,
            attributes: Attributes::Input(InputAttributes {
                name: name.into(),
                kind,
                value: None,
                required: false,
                disabled: false,
                autocomplete: None,
                pattern: None,
                maxlength: None,
                onclick: None,
                onclick_trigger: None,
                onload: None,
                onload_trigger: None,
                options: Vec::new(),
            }),
            messages: Vec::new(),
            meta: Meta::default(),
        }
    }

    /// A link, labelled with its title.
    #[must_use]
    pub fn anchor(group: Group, id: &str, href: &str, title: Message) -> Self {
        Self {
            kind: "a".to_owned(),
            group,
            attributes: Attributes::Anchor(AnchorAttributes { id: id.to_owned(), href: href.to_owned(), title: title.clone() }),
            messages: Vec::new(),
            meta: Meta { label: Some(title) },
        }
    }

    /// A text of a name, with a label.
    #[must_use]
    pub fn text(group: Group, id: &str, text: Message, label: Message) -> Self {
        Self {
            kind: "text".to_owned(),
            group,
            attributes: Attributes::Text(TextAttributes { id: id.to_owned(), text }),
            messages: Vec::new(),
            meta: Meta { label: Some(label) },
        }
    }

    /// A square picture of a name, with a label. `src` is its address, usually a data URL; `side` is in pixels.
    #[must_use]
    pub fn picture(group: Group, id: &str, src: String, side: u32, label: Message) -> Self {
        Self {
            kind: "img".to_owned(),
            group,
            attributes: Attributes::Image(ImageAttributes { id: id.to_owned(), src, width: side, height: side }),
            messages: Vec::new(),
            meta: Meta { label: Some(label) },
        }
    }

    /// A button `method=<value>` that sends the form.
    #[must_use]
    pub fn submit(group: Group, value: &str, label: Message) -> Self {
        Self::input(group, "method", InputType::Submit).value(value.into()).label(label)
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, label: Message) -> Self {
        self.meta.label = Some(label);
        self
    }

    /// With a value.
    #[must_use]
    pub fn value(mut self, value: Value) -> Self {
        self.set_value(Some(value));
        self
    }

    /// With the mark that it must be filled.
    #[must_use]
    pub fn required(self) -> Self {
        self.with_input(|i| i.required = true)
    }

    /// With a hint for browsers that fill forms.
    #[must_use]
    pub fn autocomplete(self, hint: &str) -> Self {
        self.with_input(|i| i.autocomplete = Some(hint.to_owned()))
    }

    /// Changes the attributes of an input; leaves other nodes alone.
    #[must_use]
    pub fn with_input(mut self, change: impl FnOnce(&mut InputAttributes)) -> Self {
        if let Attributes::Input(input) = &mut self.attributes {
            change(input);
        }
        self
    }

    /// The attributes of an input.
    #[must_use]
    pub fn as_input(&self) -> Option<&InputAttributes> {
        match &self.attributes {
            Attributes::Input(input) => Some(input),
            _ => None,
        }
    }

    /// The attributes of an input, to change them.
    pub fn as_input_mut(&mut self) -> Option<&mut InputAttributes> {
        match &mut self.attributes {
            Attributes::Input(input) => Some(input),
            _ => None,
        }
    }

    /// The name of an input, the id of anything else.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(match &self.attributes {
            Attributes::Input(a) => &a.name,
            Attributes::Image(a) => &a.id,
            Attributes::Text(a) => &a.id,
            Attributes::Script(a) => &a.id,
            Attributes::Anchor(a) => &a.id,
        })
    }

    /// Sets or removes the value of an input.
    pub fn set_value(&mut self, value: Option<Value>) {
        if let Attributes::Input(input) = &mut self.attributes {
            input.value = value;
        }
    }

    /// Whether another node stands in the same place of a form: same group and name, and for buttons the same value.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        let button = |n: &Self| n.as_input().is_some_and(|i| matches!(i.kind, InputType::Submit | InputType::Button));
        self.group == other.group
            && self.name() == other.name()
            && (!button(self) || !button(other) || self.as_input().map(|i| &i.value) == other.as_input().map(|i| &i.value))
    }
}

//! The parts of a message that have templates of their own.

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The subject of a mail.
    Subject,
    /// The text of a mail.
    Text,
    /// The HTML of a mail.
    Html,
    /// The text of a text message.
    Sms,
}

impl Part {
    /// All parts.
    pub(super) const ALL: [Self; 4] = [Self::Subject, Self::Text, Self::Html, Self::Sms];

    /// The name of its file below the folder of its kind, without the ending `.gotmpl`.
    pub(super) fn file_stem(self) -> &'static str {
        match self {
            Self::Subject => "email.subject",
            Self::Text => "email.body.plaintext",
            Self::Html => "email.body",
            Self::Sms => "sms.body",
        }
    }
}

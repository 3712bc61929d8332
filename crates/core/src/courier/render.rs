//! Making the words of a message: by the operator's template where there is one, else by the built-in one.
//!
//! An operator's template that cannot be read or fails costs its own part of the message only: the built-in template takes
//! its place and the log says so. A message is rendered whenever it is sent or shown, never stored.

use std::path::Path;
use std::time::Duration;

use portcullis_model::identity::Via;
use serde_json::{Map, Value};

use super::builtin;
use super::kind::Kind;
use super::language::{Compiled, Form, TemplateError, Variables, variables};
use super::part::Part;
use super::template::domain;
use crate::config::courier::Courier;
use crate::outbound::{Client, MAX_SOURCE_LENGTH, SourceError};

/// How long a template that came over HTTP is used before it is asked for again.
pub(super) const TEMPLATE_AGE: Duration = Duration::from_secs(60);
/// The most files beside a template that may hold named ones.
const COMPANIONS: usize = 64;

/// The words of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, one line; empty for text messages.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The HTML; mails only.
    pub html: Option<String>,
}

/// Why an operator's template cannot be used.
#[derive(Debug, thiserror::Error)]
enum OverrideError {
    #[error("it cannot be loaded: {0}")]
    Source(#[from] SourceError),
    #[error("it cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("it is not UTF-8")]
    Encoding,
    #[error("it is too long")]
    TooLong,
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("rendering was broken off")]
    BrokenOff,
}

/// An operator's template: its source and what its companions define.
struct Override {
    source: String,
    named: Vec<(String, String)>,
}

/// Renders a message.
///
/// # Errors
/// If the built-in template fails, too: when the data is of another version of the product.
pub async fn render(
    courier: &Courier,
    outbound: &Client,
    kind: Kind,
    via: Via,
    data: &Map<String, Value>,
) -> Result<Rendered, TemplateError> {
    let mut data = data.clone();
    if let Some(domain) = data.get("request_url").and_then(Value::as_str).and_then(domain) {
        data.insert("request_url_domain".into(), domain.into());
    }
    let renderer = Renderer { courier, outbound, kind, data: &data };
    Ok(match via {
        Via::Email => Rendered {
            subject: renderer.part(Part::Subject).await?.split_whitespace().collect::<Vec<_>>().join(" "),
            text: renderer.part(Part::Text).await?,
            html: Some(renderer.part(Part::Html).await?),
        },
        Via::Sms => Rendered { subject: String::new(), text: renderer.part(Part::Sms).await?.trim().to_owned(), html: None },
    })
}

struct Renderer<'a> {
    courier: &'a Courier,
    outbound: &'a Client,
    kind: Kind,
    data: &'a Map<String, Value>,
}

impl Renderer<'_> {
    async fn part(&self, part: Part) -> Result<String, TemplateError> {
        match self.replaced(part).await {
            Ok(Some(text)) => return Ok(text),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                template = self.kind.as_str(),
                part = part.file_stem(),
                reason = %error,
                "a message template of the configuration cannot be used, the built-in one takes its place"
            ),
        }
        builtin::render(self.kind, part, &variables(self.data))
    }

    /// The part by the operator's template, if there is one.
    async fn replaced(&self, part: Part) -> Result<Option<String>, OverrideError> {
        let found = match self.source_url(part) {
            Some(url) => Some(self.load(url).await?),
            None => match &self.courier.template_override_path {
                Some(folder) => read(&Path::new(folder).join(self.kind.folder()), part).await?,
                None => None,
            },
        };
        let Some(Override { source, named }) = found else { return Ok(None) };
        let variables = variables(self.data);
        // A template may compute for as long as its limits allow; the threads that answer requests shall not.
        let text = tokio::task::spawn_blocking(move || compute(part, &source, &named, &variables));
        Ok(Some(text.await.map_err(|_| OverrideError::BrokenOff)??))
    }

    fn source_url(&self, part: Part) -> Option<&str> {
        let templates = self.courier.templates.get(self.kind.config_name())?.choose(self.kind.is_owned());
        let (email, sms) = (templates.email.as_ref(), templates.sms.as_ref());
        match part {
            Part::Subject => email?.subject.as_deref(),
            Part::Text => email?.body.plaintext.as_deref(),
            Part::Html => email?.body.html.as_deref(),
            Part::Sms => sms?.body.plaintext.as_deref(),
        }
    }

    async fn load(&self, url: &str) -> Result<Override, OverrideError> {
        let bytes = self.outbound.load_cached(url, TEMPLATE_AGE).await?;
        let source = String::from_utf8(bytes.to_vec()).map_err(|_| OverrideError::Encoding)?;
        Ok(Override { source, named: Vec::new() })
    }
}

fn compute(part: Part, source: &str, named: &[(String, String)], variables: &Variables) -> Result<String, TemplateError> {
    let form = if part == Part::Html { Form::Html } else { Form::Text };
    Compiled::new(form, source, named)?.render(variables)
}

/// The template of a folder, with the files beside it whose names begin as its does.
async fn read(folder: &Path, part: Part) -> Result<Option<Override>, OverrideError> {
    let main = format!("{}.gotmpl", part.file_stem());
    let source = match read_file(&folder.join(&main)).await {
        Err(OverrideError::File(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(part.file_stem()) && name.ends_with(".gotmpl") && name != main && names.len() < COMPANIONS {
            names.push(name);
        }
    }
    names.sort();
    let mut named = Vec::new();
    for name in names {
        let source = read_file(&folder.join(&name)).await?;
        named.push((name, source));
    }
    Ok(Some(Override { source, named }))
}

async fn read_file(path: &Path) -> Result<String, OverrideError> {
    if tokio::fs::metadata(path).await?.len() > u64::try_from(MAX_SOURCE_LENGTH).unwrap_or(u64::MAX) {
        return Err(OverrideError::TooLong);
    }
    String::from_utf8(tokio::fs::read(path).await?).map_err(|_| OverrideError::Encoding)
}

#[cfg(test)]
pub(super) mod tests;

//! The language of message templates: Go's `text/template` with Sprig's functions, and for HTML an escaper that looks at
//! where a value lands.
//!
//! A template is compiled for one [`Form`]. Limits on loops, output and time hold for every rendering, so that a template
//! which an operator got wrong costs a message its words and nothing else. Errors never hold values: what is written into
//! messages is personal.

mod convert;
mod escape;
mod functions;
mod mark;

use std::time::Duration;

use gtmpl_ng::{Context, ExecError, Limits, ParseError};

pub(crate) use convert::variables;

/// The most that one rendering may write, in bytes.
const OUTPUT_LIMIT: usize = 2 << 20;
/// The longest that one rendering may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// What a template makes, which decides whether values are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Plain text: values are written as they are.
    Text,
    /// HTML: values are escaped for the place in which they stand.
    Html,
}

/// Why a template could not be used. Holds positions and causes, never values.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not a template.
    #[error("it cannot be read: {0}")]
    Syntax(String),
    /// It failed on the message's data.
    #[error("it failed at {place}: {cause}")]
    Execution {
        /// Name of the template, line and column.
        place: String,
        /// What went wrong, in general words.
        cause: &'static str,
    },
}

/// The values that a template sees.
pub struct Variables(Context);

/// A template, ready to be rendered.
pub struct Compiled {
    template: gtmpl_ng::Template,
    form: Form,
}

impl Compiled {
    /// Compiles a template.
    ///
    /// `named` are further templates (name, source) that it may refer to.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn new(form: Form, source: &str, named: &[(String, String)]) -> Result<Self, TemplateError> {
        let mut template = gtmpl_ng::Template::with_name("template");
        template.limits = Limits::default().with_output_bytes(OUTPUT_LIMIT).with_deadline(TIME_LIMIT);
        template.add_funcs(functions::FUNCTIONS);
        if form == Form::Html {
            template.add_funcs(mark::FUNCTIONS);
        }
        let prepare = |source: &str| match form {
            Form::Text => source.to_owned(),
            Form::Html => mark::mark_actions(source),
        };
        for (name, source) in named {
            template.add_template(name.as_str(), prepare(source)).map_err(|e| match e {
                gtmpl_ng::TemplateError::ParseError(e) => syntax(&e),
                other => TemplateError::Syntax(other.to_string()),
            })?;
        }
        template.parse(prepare(source)).map_err(|e| syntax(&e))?;
        Ok(Self { template, form })
    }

    /// Renders it.
    ///
    /// # Errors
    /// If it names a variable or function that does not exist, uses one wrongly, or exceeds a limit.
    pub fn render(&self, variables: &Variables) -> Result<String, TemplateError> {
        let out = self.template.render(&variables.0).map_err(|e| execution(&e))?;
        Ok(match self.form {
            Form::Text => out,
            Form::Html => escape::escape(&out),
        })
    }
}

/// A parser's message quotes the template only, which is the operator's own text.
fn syntax(error: &ParseError) -> TemplateError {
    TemplateError::Syntax(error.to_string())
}

/// The engine's message may quote values, so it is put into one of a few general phrases.
fn execution(error: &ExecError) -> TemplateError {
    let (place, message) = match error.as_structured() {
        Some(e) => (format!("{}:{}:{}", e.context.name, e.context.line, e.context.col), e.message.clone()),
        None => ("the template".to_owned(), error.to_string()),
    };
    let cause = [
        ("no field", "there is no such variable"),
        ("only maps and objects", "a value has no such part"),
        ("not a defined function", "there is no such function"),
        ("not defined", "there is no such named template"),
        ("did not finish", "it took too long"),
        ("allowed", "it exceeds a limit"),
        ("nesting depth", "it is nested too deeply"),
        ("range", "a value cannot be looped over or indexed so"),
        ("argument", "a function was given the wrong arguments"),
        ("fail:", "the template gave up by itself"),
    ]
    .into_iter()
    .find_map(|(sign, cause)| message.contains(sign).then_some(cause))
    .unwrap_or("a step of it failed");
    TemplateError::Execution { place, cause }
}

#[cfg(test)]
mod tests;

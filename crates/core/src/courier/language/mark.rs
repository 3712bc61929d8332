//! Finds what a template writes: every action that prints a value is made to print it between two marks, so that the
//! escaper sees in the finished text which parts are values.

use gtmpl_ng::{Func, FuncError, Value};

/// Stands before a value. A noncharacter of Unicode, which no text may hold; see [`unmarked`].
pub(super) const BEGIN: char = '\u{FDD0}';
/// Stands after a value.
pub(super) const END: char = '\u{FDD1}';

const MARK: &str = "__value";

/// The functions that HTML templates have instead of or besides those of text.
pub(super) const FUNCTIONS: &[(&str, Func)] = &[(MARK, mark as Func), ("html", plain as Func)];

/// Keywords that begin an action which writes no value itself.
const SILENT: &[&str] = &["if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"];

/// Prints a value between marks. An absent value prints nothing, as in Go's HTML templates.
fn mark(args: &[Value]) -> Result<Value, FuncError> {
    let text = match args.last() {
        None | Some(Value::Nil | Value::NoValue) => String::new(),
        Some(value) => unmarked(&value.to_string()),
    };
    Ok(format!("{BEGIN}{text}{END}").into())
}

/// `html` in an HTML template: the escaper does its work anyway, and once is enough.
fn plain(args: &[Value]) -> Result<Value, FuncError> {
    Ok(args.iter().map(ToString::to_string).collect::<Vec<_>>().concat().into())
}

/// The text without marks, so that no value can pretend to be markup.
fn unmarked(text: &str) -> String {
    text.replace([BEGIN, END], "")
}

/// Adds the marking function to each action that prints a value.
///
/// What cannot be understood is left as it is: the engine's parser then says what is wrong with it.
pub(super) fn mark_actions(source: &str) -> String {
    let source = unmarked(source);
    let mut out = String::with_capacity(source.len() + 64);
    let mut rest = source.as_str();
    while let Some((text, action)) = rest.split_once("{{") {
        out.push_str(text);
        out.push_str("{{");
        let Some(length) = action_length(action) else {
            rest = action;
            break;
        };
        let (inner, after) = action.split_at(length);
        out.push_str(&marked(inner));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The length of an action's inside, up to its closing braces.
fn action_length(action: &str) -> Option<usize> {
    let begun = action.strip_prefix('-').filter(|a| a.starts_with(char::is_whitespace)).unwrap_or(action).trim_start();
    if begun.starts_with("/*") {
        let comment = action.find("*/")? + 2;
        return action.get(comment..)?.find("}}").map(|n| n + comment);
    }
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in action.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(q) if c == '\\' && q != '`' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '\'') => quote = Some(c),
            None if action.get(at..).is_some_and(|a| a.starts_with("}}")) => return Some(at),
            None => {}
        }
    }
    None
}

/// An action's inside, with the marking function at the end of its pipeline if it prints something.
fn marked(inner: &str) -> String {
    let (begin, body) = match inner.strip_prefix('-') {
        Some(body) if body.starts_with(char::is_whitespace) => ("-", body),
        _ => ("", inner),
    };
    let (body, end) = match body.strip_suffix('-') {
        Some(body) if body.ends_with(char::is_whitespace) => (body, " -"),
        _ => (body, ""),
    };
    let pipeline = body.trim();
    let word = pipeline.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if pipeline.is_empty() || pipeline.starts_with("/*") || SILENT.contains(&word) || sets_variable(pipeline) {
        return inner.to_owned();
    }
    format!("{begin} {pipeline} | {MARK}{end}")
}

/// Whether a pipeline begins with `$name :=` or `$name =`.
fn sets_variable(pipeline: &str) -> bool {
    pipeline.strip_prefix('$').is_some_and(|rest| {
        let after = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
        after.starts_with(":=") || (after.starts_with('=') && !after.starts_with("=="))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_prints_is_marked() {
        for (source, expected) in [
            ("a {{ .X }} b", "a {{ .X | __value }} b"),
            ("{{- .X -}}", "{{- .X | __value -}}"),
            ("{{.X|upper}}", "{{ .X|upper | __value}}"),
            ("{{ if .X }}{{ else if .Y }}{{ end }}", "{{ if .X }}{{ else if .Y }}{{ end }}"),
            ("{{ $x := .X }}{{ $x = 1 }}{{ $x }}", "{{ $x := .X }}{{ $x = 1 }}{{ $x | __value }}"),
            ("{{ \"}}\" }}", "{{ \"}}\" | __value }}"),
            ("{{ `\\` }}", "{{ `\\` | __value }}"),
            ("{{/* a }} b */}}{{- /* c */ -}}", "{{/* a }} b */}}{{- /* c */ -}}"),
            ("{{ template \"a\" . }}{{ define \"b\" }}{{ end }}", "{{ template \"a\" . }}{{ define \"b\" }}{{ end }}"),
            ("{{ ifx }}", "{{ ifx | __value }}"),
            ("{{ .X ", "{{ .X "),
        ] {
            let got = mark_actions(source);
            assert_eq!(got.replace("  ", " ").replace(" }}", "}}"), expected.replace(" }}", "}}"), "{source}");
        }
    }

    #[test]
    fn marks_in_a_template_or_a_value_are_taken_out() {
        assert_eq!(mark_actions("a\u{FDD0}b\u{FDD1}"), "ab");
        assert_eq!(mark(&["x\u{FDD1}y".into()]).map(|v| v.to_string()).ok().as_deref(), Some("\u{FDD0}xy\u{FDD1}"));
    }
}

//! One evaluation, in whatever process it is called.
//!
//! Snippets stand alone: they import nothing and reach neither files nor network.

use rsjsonnet_lang::arena::Arena;
use rsjsonnet_lang::interner::InternedStr;
use rsjsonnet_lang::parser::ParseError;
use rsjsonnet_lang::program::{
    AnalyzeError, Callbacks, EvalError, EvalErrorKind, EvalStackTraceItem, ImportError, LoadError, NativeError, Program, Thunk,
    Value as JsonnetValue,
};
use rsjsonnet_lang::span::{SpanContextId, SpanId};
use serde_json::Value;

/// The longest message of a snippet's own `error` that is passed on, in characters.
const MAX_MESSAGE: usize = 300;

/// Evaluates a snippet to JSON text; a function is called with `ctx`. The error says what is wrong and on which line, and
/// repeats nothing of the input but what the snippet itself puts into its `error` and `assert` messages.
pub(super) fn evaluate(snippet: &str, variables: &[(String, Value)], ctx: Option<&Value>) -> Result<String, String> {
    let arena = Arena::new();
    let mut program = Program::new(&arena);
    for (index, (name, value)) in variables.iter().enumerate() {
        // A variable may be set once only.
        if variables.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(format!("the variable {name} is given twice"));
        }
        let value = to_jsonnet(&mut program, value);
        let thunk = program.value_to_thunk(&value);
        let name = program.intern_str(name);
        program.add_ext_var(name, &thunk);
    }
    let (context, _) = program.span_manager_mut().insert_source_context(snippet.len());
    let source = Source { context, text: snippet };
    let thunk = match program.load_source(context, snippet.as_bytes(), true, "<snippet>") {
        Ok(thunk) => thunk,
        Err(error) => return Err(source.unloadable(&program, &error)),
    };
    let value = program.eval_value(&thunk, &mut Alone).and_then(|value| {
        if !value.is_function() {
            return Ok(value);
        }
        let ctx = to_jsonnet(&mut program, ctx.unwrap_or(&Value::Null));
        let ctx = program.value_to_thunk(&ctx);
        let function = program.value_to_thunk(&value);
        program.eval_call(&function, &[ctx], &[], &mut Alone)
    });
    value.and_then(|value| program.manifest_json(&value, false)).map_err(|error| source.failed(&program, &error))
}

/// Reads a snippet without evaluating it.
///
/// # Errors
/// What is wrong with it, and on which line: it is no Jsonnet, or it names variables that do not exist.
pub fn check(snippet: &str) -> Result<(), String> {
    load(snippet, |_| false)
}

/// As [`check`], but variables that do not exist are no matter.
pub(super) fn parse(snippet: &str) -> Result<(), String> {
    load(snippet, |error| matches!(error, LoadError::Analyze(_)))
}

fn load(snippet: &str, forgives: impl Fn(&LoadError) -> bool) -> Result<(), String> {
    let arena = Arena::new();
    let mut program = Program::new(&arena);
    let (context, _) = program.span_manager_mut().insert_source_context(snippet.len());
    let source = Source { context, text: snippet };
    match program.load_source(context, snippet.as_bytes(), true, "<snippet>") {
        Err(error) if !forgives(&error) => Err(source.unloadable(&program, &error)),
        _ => Ok(()),
    }
}

fn to_jsonnet<'p>(program: &mut Program<'p>, value: &Value) -> JsonnetValue<'p> {
    match value {
        Value::Null => JsonnetValue::null(),
        Value::Bool(b) => JsonnetValue::bool(*b),
        // Jsonnet's numbers are doubles; what does not fit is rounded, as when it is written in a program.
        Value::Number(n) => JsonnetValue::number(n.as_f64().unwrap_or(0.0)),
        Value::String(s) => JsonnetValue::string(s),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| to_jsonnet(program, item)).collect();
            program.make_array(&items)
        }
        Value::Object(fields) => {
            let fields: Vec<(InternedStr<'p>, _)> =
                fields.iter().map(|(name, value)| (program.intern_str(name), to_jsonnet(program, value))).collect();
            program.make_object(&fields)
        }
    }
}

/// The snippet, for saying where something is wrong.
struct Source<'a> {
    context: SpanContextId,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, program: &Program<'_>, span: SpanId) -> Option<usize> {
        let (context, start, _) = program.span_manager().get_span(span);
        let before = self.text.as_bytes().get(..start).filter(|_| context == self.context)?;
        Some(before.iter().filter(|b| **b == b'\n').count() + 1)
    }

    fn at(&self, program: &Program<'_>, span: Option<SpanId>) -> String {
        span.and_then(|span| self.line(program, span)).map(|line| format!(" on line {line}")).unwrap_or_default()
    }

    fn unloadable(&self, program: &Program<'_>, error: &LoadError) -> String {
        match error {
            LoadError::Lex(_) => "it contains something that is no Jsonnet".to_owned(),
            LoadError::Parse(ParseError::Expected { span, .. }) => format!("it is no Jsonnet{}", self.at(program, Some(*span))),
            LoadError::Analyze(AnalyzeError::UnknownVariable { span, name }) => {
                format!("the variable {name} is not known{}", self.at(program, Some(*span)))
            }
            LoadError::Analyze(other) => variant(other),
        }
    }

    fn failed(&self, program: &Program<'_>, error: &EvalError) -> String {
        // The innermost place that lies in the snippet, not in the standard library.
        let span = error.stack_trace.iter().rev().filter_map(span_of).find(|span| self.line(program, *span).is_some());
        let (what, span) = match &error.kind {
            EvalErrorKind::ExplicitError { message, span } => (shorten(message), Some(*span)),
            EvalErrorKind::AssertFailed { message, span } => {
                (message.as_deref().map_or_else(|| "an assertion failed".to_owned(), shorten), Some(*span))
            }
            EvalErrorKind::UnknownObjectField { field_name, span } => (format!("there is no field {field_name}"), Some(*span)),
            EvalErrorKind::UnknownExtVar { name } => (format!("there is no external variable {name}"), span),
            EvalErrorKind::StackOverflow | EvalErrorKind::InfiniteRecursion => ("it never ends".to_owned(), span),
            EvalErrorKind::ImportFailed { span, .. } => ("nothing can be imported".to_owned(), Some(*span)),
            EvalErrorKind::ManifestFunction => ("its value contains a function".to_owned(), span),
            other => (variant(other), span),
        };
        format!("{what}{}", self.at(program, span))
    }
}

/// The name of an error's kind, in words, without what it holds.
fn variant(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn shorten(message: &str) -> String {
    message.chars().take(MAX_MESSAGE).collect()
}

fn span_of(item: &EvalStackTraceItem) -> Option<SpanId> {
    match item {
        EvalStackTraceItem::Expr { span } | EvalStackTraceItem::Variable { span, .. } | EvalStackTraceItem::Import { span } => {
            Some(*span)
        }
        EvalStackTraceItem::Call { span, .. }
        | EvalStackTraceItem::ArrayItem { span, .. }
        | EvalStackTraceItem::ObjectField { span, .. } => *span,
        _ => None,
    }
}

/// The outside world of a snippet: none.
struct Alone;

impl<'p> Callbacks<'p> for Alone {
    fn import(&mut self, _: &mut Program<'p>, _: SpanId, _: &str) -> Result<Thunk<'p>, ImportError> {
        Err(ImportError)
    }

    fn import_str(&mut self, _: &mut Program<'p>, _: SpanId, _: &str) -> Result<String, ImportError> {
        Err(ImportError)
    }

    fn import_bin(&mut self, _: &mut Program<'p>, _: SpanId, _: &str) -> Result<Vec<u8>, ImportError> {
        Err(ImportError)
    }

    fn trace(&mut self, _: &mut Program<'p>, _: &str, _: &[EvalStackTraceItem]) {}

    fn native_call(
        &mut self,
        _: &mut Program<'p>,
        _: InternedStr<'p>,
        _: &[JsonnetValue<'p>],
    ) -> Result<JsonnetValue<'p>, NativeError> {
        Err(NativeError)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(snippet: &str, variables: &[(&str, Value)], ctx: Option<Value>) -> Result<Value, String> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        evaluate(snippet, &variables, ctx.as_ref()).map(|json| serde_json::from_str(&json).expect("JSON"))
    }

    #[test]
    fn both_ways_of_passing_input_work() {
        let claims = json!({"email": "a@example.org", "iat": 1_700_000_000, "list": [1, 2.5, true, null, "ü\u{0}\""]});
        let by_variable = "local claims = std.extVar('claims'); { e: claims.email, i: claims.iat + 1, l: claims.list }";
        let expected = json!({"e": "a@example.org", "i": 1_700_000_001, "l": [1, 2.5, true, null, "ü\u{0}\""]});
        assert_eq!(value(by_variable, &[("claims", claims.clone())], None), Ok(expected));
        assert_eq!(value("function(ctx) { e: ctx.email }", &[], Some(claims.clone())), Ok(json!({"e": "a@example.org"})));
        assert_eq!(
            value("function(ctx, more=1) [ctx.email, more, std.extVar('x')]", &[("x", json!(2))], Some(claims)),
            Ok(json!(["a@example.org", 1, 2]))
        );
        assert_eq!(value("function(ctx) ctx", &[], None), Ok(json!(null)));
    }

    #[test]
    fn the_language_is_complete() {
        for (snippet, expected) in [
            ("std.parseJson('{\"a\":1}').a", json!(1)),
            ("{ a: 1, b:: 2, c: self.a + self.b }", json!({"a": 1, "c": 3})),
            ("{ [if false then 'x']: 1 }", json!({})),
            ("std.filter(function(x) x > 1, [1, 2, 3])", json!([2, 3])),
            ("{ a: 1 } + { a+: 1 }", json!({"a": 2})),
            ("'%s-%03d' % ['a', 7]", json!("a-007")),
            ("std.md5('x') == '9dd4e461268c8034f5c8564e155c67a6'", json!(true)),
        ] {
            assert_eq!(value(snippet, &[], None), Ok(expected), "{snippet}");
        }
    }

    #[test]
    fn errors_say_what_and_where_and_keep_the_input_to_themselves() {
        let secret = [("claims", json!({"password": "hunter2"}))];
        for (snippet, expected) in [
            ("{\n  a: }", "it is no Jsonnet on line 2"),
            ("{ a: \"open }", "it contains something that is no Jsonnet"),
            ("{\n\n a: nope }", "the variable nope is not known on line 3"),
            ("local c = std.extVar('claims');\n{ a: c.nope }", "there is no field nope on line 2"),
            ("std.extVar('nope')", "there is no external variable nope"),
            ("\nerror 'on purpose'", "on purpose on line 2"),
            ("local a = b, b = a; a", "it never ends on line 1"),
            ("function(x) x(1)", "callee is not function"),
            ("import 'x'", "nothing can be imported on line 1"),
            ("importstr '/etc/passwd'", "nothing can be imported on line 1"),
            ("{ f: function() 1 }", "its value contains a function"),
            ("assert std.extVar('claims').password == 'x'; 1", "an assertion failed on line 1"),
            ("std.extVar('claims').password + 1 - 1", "invalid binary op types"),
        ] {
            let error = value(snippet, &secret, Some(json!(1))).expect_err(snippet);
            assert!(error.starts_with(expected), "{snippet}: {error}");
            assert!(!error.contains("hunter2"), "{snippet}: {error}");
        }
        let error = evaluate("1", &[("a".to_owned(), json!(1)), ("a".to_owned(), json!(2))], None);
        assert_eq!(error, Err("the variable a is given twice".to_owned()));
    }
}

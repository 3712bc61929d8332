//! On which line of a file each key stands, for those who have to mend it.
//!
//! Files are looked through a second time for this, and only when something in them is wrong. What a YAML alias or merge key
//! brings in has no line of its own: it is found where it is brought in.

use std::collections::{BTreeSet, HashMap};

use granit_parser::{Event, Parser, ScanError, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The lines of keys (from 1), by their paths as they are shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines(HashMap<String, usize>);

impl Lines {
    /// The line of a key, or of the nearest section around it that stands in the file.
    pub(super) fn of(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    fn note(&mut self, path: &str, line: usize) {
        self.0.entry(path.to_owned()).or_insert(line);
    }
}

fn below(path: &str, step: impl std::fmt::Display) -> String {
    if path.is_empty() { step.to_string() } else { format!("{path}.{step}") }
}

/// The lines of a YAML file that could be read.
pub(super) fn of_yaml(text: &str) -> Lines {
    let mut walk = Yaml { events: Parser::new_from_str(text), lines: Lines::default() };
    while let Some((event, _)) = walk.next() {
        if walk.node(&event, "", 0).is_none() {
            break;
        }
    }
    walk.lines
}

/// Deeper than any file that is read.
const DEEPEST: usize = 256;

struct Yaml<I> {
    events: I,
    lines: Lines,
}

impl<'t, I: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Yaml<I> {
    /// The next event that is part of a value; comments and marks of documents are not.
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        loop {
            let (event, at) = self.events.next()?.ok()?;
            if matches!(
                event,
                Event::MappingStart(..)
                    | Event::MappingEnd
                    | Event::SequenceStart(..)
                    | Event::SequenceEnd
                    | Event::Scalar(..)
                    | Event::Alias(_)
            ) {
                return Some((event, at));
            }
        }
    }

    /// Goes through the rest of a value that begins with this event. `None`: the file ends in it.
    fn node(&mut self, begin: &Event<'t>, path: &str, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match begin {
            Event::MappingStart(..) => loop {
                let (key, at) = self.next()?;
                let path = match &key {
                    Event::MappingEnd => return Some(()),
                    Event::Scalar(key, ..) => {
                        let path = below(path, key);
                        self.lines.note(&path, at.start.line());
                        path
                    }
                    // A key that is a list or a mapping fits nothing in a configuration.
                    other => {
                        self.node(other, path, depth + 1)?;
                        path.to_owned()
                    }
                };
                let (value, _) = self.next()?;
                self.node(&value, &path, depth + 1)?;
            },
            Event::SequenceStart(..) => {
                for n in 0.. {
                    let (entry, at) = self.next()?;
                    if matches!(entry, Event::SequenceEnd) {
                        return Some(());
                    }
                    let path = below(path, n);
                    self.lines.note(&path, at.start.line());
                    self.node(&entry, &path, depth + 1)?;
                }
                Some(())
            }
            _ => Some(()),
        }
    }
}

/// The lines of a TOML file that could be read.
pub(super) fn of_toml(text: &str) -> Lines {
    fn table(table: &DeTable<'_>, path: &str, line: &impl Fn(usize) -> usize, lines: &mut Lines) {
        for (key, entry) in table {
            let path = below(path, key.get_ref());
            lines.note(&path, line(key.span().start));
            value(entry, &path, line, lines);
        }
    }
    fn value(entry: &Spanned<DeValue<'_>>, path: &str, line: &impl Fn(usize) -> usize, lines: &mut Lines) {
        match entry.get_ref() {
            DeValue::Table(inner) => table(inner, path, line, lines),
            DeValue::Array(list) => {
                for (n, entry) in list.iter().enumerate() {
                    let path = below(path, n);
                    lines.note(&path, line(entry.span().start));
                    value(entry, &path, line, lines);
                }
            }
            _ => {}
        }
    }
    let mut lines = Lines::default();
    let ends: Vec<usize> = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect();
    if let Ok(document) = DeTable::parse(text) {
        table(document.get_ref(), "", &|at| ends.partition_point(|end| *end < at) + 1, &mut lines);
    }
    lines
}

/// A key that a JSON mapping has twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated {
    /// Its path.
    pub(super) key: String,
    /// Where it stands for the second time.
    pub(super) line: usize,
}

/// The lines of a JSON text that could be read.
///
/// # Errors
/// The first key that stands twice in its mapping: of which one of them somebody thinks that it counts, nobody can tell.
pub(super) fn of_json(text: &str) -> Result<Lines, Repeated> {
    /// What is open: a mapping with the keys so far, or a list with the number of its entry.
    enum Open {
        Mapping(BTreeSet<String>),
        List(usize),
    }
    let mut lines = Lines::default();
    let (mut open, mut path): (Vec<Open>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut line, mut expects_key) = (1, false);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '\n' => line += 1,
            '{' | '[' => {
                expects_key = first == '{';
                open.push(if expects_key { Open::Mapping(BTreeSet::new()) } else { Open::List(0) });
                path.push(String::from(if expects_key { "" } else { "0" }));
            }
            '}' | ']' => {
                open.pop();
                path.pop();
                expects_key = false;
            }
            ',' => match open.last_mut() {
                Some(Open::List(n)) => {
                    *n += 1;
                    if let Some(step) = path.last_mut() {
                        *step = n.to_string();
                    }
                }
                _ => expects_key = true,
            },
            ':' => expects_key = false,
            '"' => {
                length = string_length(rest);
                if expects_key && let (Some(Open::Mapping(keys)), Some(step)) = (open.last_mut(), path.last_mut()) {
                    // Escapes are ways to write the same key.
                    let written = rest.get(..length).unwrap_or_default();
                    *step = serde_json::from_str(written).unwrap_or_else(|_| written.to_owned());
                    let fresh = keys.insert(step.clone());
                    let key = path.join(".");
                    if !fresh {
                        return Err(Repeated { key, line });
                    }
                    lines.note(&key, line);
                }
            }
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(lines)
}

/// The bytes from one quotation mark to the next that is not escaped.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_every_kind_of_file() {
        let json = "{\n \"a\": {\"b\": [1,\n {\"c\": \"}\\\"\"}]},\n \"d.e\": 1,\n\t\"f\\u0067\": {}\n}";
        let yaml = "# c\na: &x\n  b:\n  - 1\n  - c: >\n      text\n      more: 1\nz: *x\nf: {g: [1,\n  2]}\nm:\n  <<: *x\n";
        let toml = "top = 1\n[a]\nb = [1,\n 2]\n[[list]]\nc = '''\nx\n'''\nd.e = 1\n[[list]]\nc = 2\n";
        let in_json = of_json(json).expect("no key twice");
        let (in_yaml, in_toml) = (of_yaml(yaml), of_toml(toml));
        for (lines, key, line) in [
            (&in_json, "a", Some(2)),
            (&in_json, "a.b", Some(2)),
            (&in_json, "a.b.1.c", Some(3)),
            (&in_json, "d.e", Some(4)),
            (&in_json, "fg.h.i", Some(5)),
            (&in_json, "x", None),
            (&in_yaml, "a", Some(2)),
            (&in_yaml, "a.b", Some(3)),
            (&in_yaml, "a.b.1.c", Some(5)),
            (&in_yaml, "a.b.0", Some(4)),
            (&in_yaml, "z.b.1.c", Some(8)),
            (&in_yaml, "f.g.1", Some(10)),
            (&in_yaml, "m.b", Some(11)),
            (&in_yaml, "more", None),
            (&in_toml, "top", Some(1)),
            (&in_toml, "a.b.1", Some(4)),
            (&in_toml, "list.0.c", Some(6)),
            (&in_toml, "list.0.d.e", Some(9)),
            (&in_toml, "list.1.c", Some(11)),
        ] {
            assert_eq!(lines.of(key), line, "{key} in {lines:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_told() {
        for (text, key, line) in
            [("{\"a\": 1,\n\"a\": 2}", "a", 2), ("{\"a\": [{}, {\"b\": {},\n\n\"\\u0062\": 1}]}", "a.1.b", 3)]
        {
            assert_eq!(of_json(text), Err(Repeated { key: key.to_owned(), line }), "{text}");
        }
        assert!(of_json("[{\"a\": \"a\"}, {\"a\": 1, \"b\": {\"a\": 2}}]").is_ok());
    }

    #[test]
    fn what_cannot_be_read_has_no_lines_but_no_panic_either() {
        for text in ["{\"a", "\"\\", "]]]}", "{{{{", "a: [", "= 1", "\u{feff}", "- ? [a]: b", "{\"a\" \"a\""] {
            let _ = (of_json(text), of_yaml(text), of_toml(text));
        }
        let deep = "[".repeat(100_000);
        let _ = (of_json(&deep), of_yaml(&deep));
    }
}

//! Identities in JSON files, each with a name by which an error can speak of it.
//!
//! A file holds one identity, a list of them, or one on each line. Lines are read as they are needed, so that a file may be
//! of any length; anything else is read whole.

use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;

use serde_json::Value;

use super::super::Failure;

/// The longest line, in bytes: what a body of the admin API may have.
const LINE: u64 = 5 << 20;

/// One identity, not yet judged.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    /// Such as `people.json`, `people.json, entry 2` or `people.jsonl, line 7`.
    pub(super) name: String,
    /// What is there: a mapping.
    pub(super) value: Value,
}

/// What is in all files.
pub(super) enum Documents {
    /// Few enough to be held.
    Few(Vec<Document>),
    /// One after the other, or what is wrong with one.
    Lines(Box<dyn Iterator<Item = Result<Document, String>>>),
}

/// Opens all files, or standard input if there are none. Where nothing is lines, everything that cannot be read is told at
/// once, and then nothing is used.
pub(super) fn open(files: &[PathBuf]) -> Result<Documents, Failure> {
    let mut sources: Vec<Source> = Vec::new();
    let mut wrong = Vec::new();
    let inputs: Vec<Option<&PathBuf>> = if files.is_empty() { vec![None] } else { files.iter().map(Some).collect() };
    for input in inputs {
        let name = input.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
        let opened: std::io::Result<Box<dyn BufRead>> = match input {
            None => Ok(Box::new(BufReader::new(std::io::stdin()))),
            Some(file) => std::fs::File::open(file).map(|f| Box::new(BufReader::with_capacity(1 << 18, f)) as Box<dyn BufRead>),
        };
        match opened.and_then(|input| Source::look(name.clone(), input)) {
            Ok(source) => sources.push(source),
            Err(error) => wrong.push(format!("{name} cannot be read: {error}")),
        }
    }
    if !sources.iter().any(|s| s.first.is_some()) {
        let mut found = Vec::new();
        for source in sources {
            source.whole(&mut found, &mut wrong);
        }
        return if wrong.is_empty() { Ok(Documents::Few(found)) } else { Err(Failure::Said(wrong.join("\n"))) };
    }
    if !wrong.is_empty() {
        return Err(Failure::Said(wrong.join("\n")));
    }
    Ok(Documents::Lines(Box::new(sources.into_iter().flat_map(Source::documents))))
}

/// Everything at once, for work that needs it so.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    match open(files)? {
        Documents::Few(found) => Ok(found),
        Documents::Lines(lines) => {
            let (mut found, mut wrong) = (Vec::new(), Vec::new());
            for line in lines {
                match line {
                    Ok(document) => found.push(document),
                    Err(fault) => wrong.push(fault),
                }
            }
            if wrong.is_empty() { Ok(found) } else { Err(Failure::Said(wrong.join("\n"))) }
        }
    }
}

/// A file of which the first line was read.
struct Source {
    name: String,
    /// The first line.
    head: Vec<u8>,
    /// Its value, if it is an identity by itself and more lines follow.
    first: Option<Value>,
    rest: Box<dyn BufRead>,
}

impl Source {
    fn look(name: String, mut rest: Box<dyn BufRead>) -> std::io::Result<Self> {
        let mut head = Vec::new();
        rest.by_ref().take(LINE).read_until(b'\n', &mut head)?;
        let follows = !rest.fill_buf()?.is_empty();
        let first = if follows { serde_json::from_slice(&head).ok().filter(Value::is_object) } else { None };
        Ok(Self { name, head, first, rest })
    }

    fn whole(mut self, found: &mut Vec<Document>, wrong: &mut Vec<String>) {
        match self.rest.read_to_end(&mut self.head) {
            Ok(_) => parse(&self.name, &self.head, found, wrong),
            Err(error) => wrong.push(format!("{} cannot be read: {error}", self.name)),
        }
    }

    fn documents(self) -> Box<dyn Iterator<Item = Result<Document, String>>> {
        match self.first {
            None => {
                let (mut found, mut wrong) = (Vec::new(), Vec::new());
                self.whole(&mut found, &mut wrong);
                Box::new(found.into_iter().map(Ok).chain(wrong.into_iter().map(Err)))
            }
            Some(value) => {
                let first = Document { name: format!("{}, line 1", self.name), value };
                Box::new(std::iter::once(Ok(first)).chain(Lines { name: self.name, line: 1, rest: Some(self.rest) }))
            }
        }
    }
}

/// The lines of a file after the first one. Empty ones are passed over.
struct Lines {
    name: String,
    line: u64,
    rest: Option<Box<dyn BufRead>>,
}

impl Iterator for Lines {
    type Item = Result<Document, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.as_mut()?;
            let mut line = Vec::new();
            self.line += 1;
            let name = format!("{}, line {}", self.name, self.line);
            match rest.by_ref().take(LINE + 1).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) if u64::try_from(line.len()).is_ok_and(|length| length > LINE) => {
                    self.rest = None;
                    return Some(Err(format!("{name} is longer than {LINE} bytes; nothing after it was read")));
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    return Some(match serde_json::from_slice::<Value>(&line) {
                        Ok(value) if value.is_object() => Ok(Document { name, value }),
                        Ok(_) => Err(format!("{name} must be a JSON object that describes an identity")),
                        Err(error) => Err(format!("{name} is not JSON: {error}")),
                    });
                }
                Err(error) => {
                    self.rest = None;
                    return Some(Err(format!("{name} cannot be read: {error}")));
                }
            }
        }
    }
}

fn parse(name: &str, bytes: &[u8], found: &mut Vec<Document>, wrong: &mut Vec<String>) {
    let values = match serde_json::from_slice(bytes) {
        Ok(Value::Array(values)) => {
            values.into_iter().enumerate().map(|(n, v)| (format!("{name}, entry {}", n + 1), v)).collect()
        }
        Ok(value) => vec![(name.to_owned(), value)],
        Err(error) => return wrong.push(format!("{name} is not JSON: {error}")),
    };
    for (name, value) in values {
        if value.is_object() {
            found.push(Document { name, value });
        } else {
            wrong.push(format!("{name} must be a JSON object that describes an identity"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::look("f".to_owned(), Box::new(std::io::Cursor::new(text.to_owned().into_bytes()))).unwrap()
    }

    #[test]
    fn each_entry_has_a_name_and_each_fault_too() {
        for (text, names, faults) in [
            (r#"{"traits":{}}"#, &["f"][..], &[][..]),
            ("{\"traits\":{}}\n", &["f"], &[]),
            ("{\n\"traits\":{}}\n", &["f"], &[]),
            (r#"[{"a":1},{"b":2}]"#, &["f, entry 1", "f, entry 2"], &[]),
            ("[]", &[], &[]),
            ("[{}, 7]", &["f, entry 1"], &["f, entry 2 must be"]),
            ("\"x\"", &[], &["f must be"]),
            ("{\"a\":\n ", &[], &["f is not JSON: EOF while parsing a value at line 2"]),
            ("", &[], &["f is not JSON"]),
            ("{}\n{}", &["f, line 1", "f, line 2"], &[]),
            ("{}\n\n{\n7\n{}\n", &["f, line 1", "f, line 5"], &["f, line 3 is not JSON", "f, line 4 must be"]),
        ] {
            let (mut found, mut wrong) = (Vec::new(), Vec::new());
            for document in source(text).documents() {
                match document {
                    Ok(document) => found.push(document),
                    Err(fault) => wrong.push(fault),
                }
            }
            assert_eq!(found.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), names, "{text}");
            assert_eq!(wrong.len(), faults.len(), "{text}: {wrong:?}");
            assert!(wrong.iter().zip(faults).all(|(w, f)| w.starts_with(f)), "{text}: {wrong:?}");
        }
    }
}

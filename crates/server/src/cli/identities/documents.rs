//! Identities in JSON files, each with a name by which an error can speak of it.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;

use super::super::Failure;

/// One identity, not yet judged.
pub(super) struct Document {
    /// Such as `people.json` or `people.json, entry 2`.
    pub(super) name: String,
    /// What is there: a mapping.
    pub(super) value: Value,
}

/// Reads all files, or standard input if there are none. Everything that cannot be read is told at once, and then nothing
/// is used.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    if files.is_empty() {
        let mut bytes = Vec::new();
        match std::io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => parse("standard input", &bytes, &mut found, &mut wrong),
            Err(error) => wrong.push(format!("standard input cannot be read: {error}")),
        }
    }
    for file in files {
        let name = file.display().to_string();
        match std::fs::read(file) {
            Ok(bytes) => parse(&name, &bytes, &mut found, &mut wrong),
            Err(error) => wrong.push(format!("{name} cannot be read: {error}")),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Failure::Said(wrong.join("\n"))) }
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

    #[test]
    fn each_entry_has_a_name_and_each_fault_too() {
        for (text, names, faults) in [
            (r#"{"traits":{}}"#, &["f"][..], &[][..]),
            (r#"[{"a":1},{"b":2}]"#, &["f, entry 1", "f, entry 2"], &[]),
            ("[]", &[], &[]),
            ("[{}, 7]", &["f, entry 1"], &["f, entry 2 must be"]),
            ("\"x\"", &[], &["f must be"]),
            ("{\"a\":\n ", &[], &["f is not JSON: EOF while parsing a value at line 2"]),
            ("", &[], &["f is not JSON"]),
        ] {
            let (mut found, mut wrong) = (Vec::new(), Vec::new());
            parse("f", text.as_bytes(), &mut found, &mut wrong);
            assert_eq!(found.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), names, "{text}");
            assert_eq!(wrong.len(), faults.len(), "{text}: {wrong:?}");
            assert!(wrong.iter().zip(faults).all(|(w, f)| w.starts_with(f)), "{text}: {wrong:?}");
        }
    }
}

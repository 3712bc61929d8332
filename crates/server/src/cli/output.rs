//! Printing results: tables for people, JSON and YAML for programs, or one value out of them.

use std::io::Write as _;
use std::str::FromStr;

use serde_json::Value;

use super::Failure;

/// `--format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// On one line.
    Json,
    /// Indented.
    JsonPretty,
    /// YAML.
    Yaml,
    /// The value at a path such as `$.identities[0].id`.
    JsonPath(String),
    /// The value at a JSON pointer (RFC 6901).
    JsonPointer(String),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None => match text {
                "table" | "default" => Ok(Self::Table),
                "json" => Ok(Self::Json),
                "json-pretty" => Ok(Self::JsonPretty),
                "yaml" => Ok(Self::Yaml),
                _ => Err("use table, json, json-pretty, yaml, jsonpath=PATH or jsonpointer=POINTER".to_owned()),
            },
            Some(("jsonpath", path)) => Ok(Self::JsonPath(path.to_owned())),
            Some(("jsonpointer", pointer)) => Ok(Self::JsonPointer(pointer.to_owned())),
            Some((name, _)) => Err(format!("{name} takes no value")),
        }
    }
}

/// `--format` and `-q`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Style {
    /// How to print: table, json, json-pretty, yaml, jsonpath=..., jsonpointer=...
    #[arg(long, default_value = "table")]
    format: Format,
    /// Print only ids, one a line
    #[arg(short, long)]
    quiet: bool,
}

/// Something to print.
pub(super) struct Listing {
    /// For programs.
    pub(super) value: Value,
    /// The ids alone.
    pub(super) ids: Vec<String>,
    /// The table's head.
    pub(super) columns: &'static [&'static str],
    /// The table's rows.
    pub(super) rows: Vec<Vec<String>>,
}

impl Style {
    /// Prints to standard output.
    pub(super) fn print(&self, result: &Listing) -> Result<(), Failure> {
        print(&self.text(result)?)
    }

    /// Whether nobody but people reads the result.
    pub(super) fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints what was done to standard output: a sentence for people, a value for programs.
    pub(super) fn say(&self, sentence: &str, value: Value) -> Result<(), Failure> {
        if self.format == Format::Table && !self.quiet {
            return print(&format!("{sentence}\n"));
        }
        self.print(&Listing { value, ids: Vec::new(), columns: &[], rows: Vec::new() })
    }

    fn text(&self, result: &Listing) -> Result<String, Failure> {
        if self.quiet {
            return Ok(lines(result.ids.iter().cloned()));
        }
        let value = &result.value;
        let nothing = |at: &str| Failure::Said(format!("there is nothing at {at}"));
        Ok(match &self.format {
            Format::Table => table(result.columns, &result.rows),
            Format::Json => format!("{value}\n"),
            Format::JsonPretty => format!("{value:#}\n"),
            Format::Yaml => serde_saphyr::to_string(value).map_err(Failure::of)?,
            Format::JsonPointer(pointer) => bare(value.pointer(pointer).ok_or_else(|| nothing(pointer))?),
            Format::JsonPath(path) => bare(at_path(value, path).ok_or_else(|| nothing(path))?),
        })
    }
}

/// A text without quotes, anything else as JSON.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("{value}\n"), |text| format!("{text}\n"))
}

/// The value at a path of names and numbers: `$.a[0].b`, `a.0.b`.
fn at_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let steps = path.split(['.', '[', ']']).filter(|s| !s.is_empty() && *s != "$");
    steps.map(|s| s.trim_matches(['\'', '"'])).try_fold(value, |at, step| match at {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

fn lines(items: impl Iterator<Item = String>) -> String {
    items.fold(String::new(), |out, item| out + &item + "\n")
}

/// Columns as wide as their widest cell.
fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = columns.iter().map(|c| c.to_uppercase()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    lines(all().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }))
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::of(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_result_prints_in_every_format() {
        let result = Listing {
            value: json!([{"state": "Applied", "version": "1"}]),
            ids: vec!["1".to_owned()],
            columns: &["state", "version"],
            rows: vec![vec!["Applied".to_owned(), "1".to_owned()]],
        };
        for (format, quiet, expected) in [
            ("table", false, "STATE    VERSION\nApplied  1\n"),
            ("json", false, "[{\"state\":\"Applied\",\"version\":\"1\"}]\n"),
            ("json", true, "1\n"),
            ("jsonpath=$[0].state", false, "Applied\n"),
            ("jsonpath=0.version", false, "1\n"),
            ("jsonpointer=/0/state", false, "Applied\n"),
        ] {
            let style = Style { format: format.parse().unwrap(), quiet };
            assert_eq!(style.text(&result).unwrap(), expected, "{format}");
        }
        assert!("xml".parse::<Format>().is_err());
        assert!("table=1".parse::<Format>().is_err());
        let style = Style { format: "jsonpath=$.nope".parse().unwrap(), quiet: false };
        assert!(style.text(&result).is_err());
    }
}

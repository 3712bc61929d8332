//! Reading one configuration file: JSON, YAML or TOML by its ending, bounded in size and depth.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::layers::Origin;
use super::lines::{self, Lines, Repeated};
use super::violation::Violation;

/// The largest configuration file, in bytes: room for schemas and certificates in base64, none for accidents.
pub const SIZE_LIMIT: u64 = 4 * 1024 * 1024;

/// How deep YAML may nest; JSON and TOML have limits of their own (about 128).
const DEPTH_LIMIT: usize = 64;

/// How a file is written.
#[derive(Clone, Copy)]
enum Format {
    Json,
    Yaml,
    Toml,
}

/// A file's text.
pub(super) struct Text {
    format: Format,
    text: String,
}

/// Reads and parses a file. The text is for [`lines_of`].
///
/// # Errors
/// A violation that names the file, and line and column where that helps. Contents are never repeated in it.
pub(super) fn read(path: &Path) -> Result<(Map<String, Value>, Text), Violation> {
    let refuse = |problem: String| Violation::of_file(Origin::File(path.to_owned()), problem);
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let format = match ending.as_deref() {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        Some("toml") => Format::Toml,
        Some(other) => return Err(refuse(format!("is of an unknown kind (.{other}); .json, .yaml, .yml and .toml are known"))),
        None => return Err(refuse("has no ending that tells its kind; .json, .yaml, .yml and .toml are known".to_owned())),
    };
    let file = std::fs::File::open(path).map_err(|e| refuse(format!("cannot be opened: {e}")))?;
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SIZE_LIMIT {
        return Err(refuse(format!("is larger than {} MB, which is too much for a configuration", SIZE_LIMIT / 1024 / 1024)));
    }
    let mut text =
        String::from_utf8(bytes).map_err(|e| refuse(format!("is not UTF-8 text (byte {})", e.utf8_error().valid_up_to())))?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    let parsed = match format {
        Format::Json => parse_json(&text),
        Format::Yaml => parse_yaml(&text),
        Format::Toml => parse_toml(&text),
    };
    match parsed.map_err(refuse)? {
        Value::Object(map) => Ok((map, Text { format, text })),
        Value::Null => Ok((Map::new(), Text { format, text })),
        _ => Err(refuse("must be a mapping of keys to values".to_owned())),
    }
}

/// Where the keys of a file stand.
pub(super) fn lines_of(Text { format, text }: &Text) -> Lines {
    match format {
        Format::Json => lines::of_json(text).unwrap_or_default(),
        Format::Yaml => lines::of_yaml(text),
        Format::Toml => lines::of_toml(text),
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let value = serde_json::from_str(text).map_err(|e| format!("is not valid JSON: {e}"))?;
    // As in YAML and TOML, where their parsers see to it.
    match lines::of_json(text) {
        Ok(_) => Ok(value),
        Err(Repeated { key, line }) => Err(format!("is not valid: the key {key} stands twice, again at line {line}")),
    }
}

fn parse_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_LIMIT,
            max_events: 200_000,
            max_nodes: 100_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
        // As the parsers that these files were written for: `yes` is a text, and 0755 is octal.
        strict_booleans: true,
        legacy_octal_numbers: true,
        // A snippet could show secrets.
        with_snippet: false,
    };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|e| format!("is not valid YAML: {}", e.render_with_formatter(&serde_saphyr::UserMessageFormatter)))
}

fn parse_toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(String::new(), |span| {
            let before = text.get(..span.start).unwrap_or_default();
            format!(" at line {}", before.matches('\n').count() + 1)
        });
        format!("is not valid TOML: {}{at}", e.message())
    })
}

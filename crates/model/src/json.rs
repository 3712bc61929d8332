//! Reading JSON from outside and from the database, with a bound on how deep it nests.
//!
//! Values are walked by recursion everywhere, so the bound protects every later step. It is far beyond what documents
//! need and is the same for what comes in and what is read back.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// How deep lists and objects may nest: what a thread with the usual 2 MiB stack can walk in a build without optimisation.
pub const MAX_DEPTH: usize = 600;

/// Why a text is refused.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("the JSON nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It is no JSON (RFC 8259), something follows it, or it has another shape than was asked for.
    #[error("this is not the JSON that is wanted: {0}")]
    Syntax(serde_json::Error),
}

/// Parses one JSON value that fills the whole text. Members keep their order; of repeated ones the last counts.
///
/// # Errors
/// If the text is no JSON, or nests too deep.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    read(text)
}

/// Reads what a JSON text that fills the whole text says.
///
/// # Errors
/// If the text is no JSON, nests too deep, or has another shape.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    if depth(text) > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    // Bounded above, and in one pass without recursion.
    read_back(text).map_err(JsonError::Syntax)
}

/// Reads what the program has written itself. There is no bound here: what came from outside had to pass one, and may lie a few
/// levels deeper in what was made of it.
///
/// # Errors
/// If the text is no JSON or has another shape: an older or newer program wrote it, or it is damaged.
pub fn read_back<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The deepest nesting of brackets outside of strings. For a text that is no JSON it is some number at least as large as
/// the depth that a parser reaches before it notices.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep)));
        assert!(matches!(parse("[".repeat(1_000_000).as_bytes()), Err(JsonError::TooDeep)));
    }

    #[test]
    fn what_was_taken_can_be_read_back_also_from_further_down() {
        let deepest = parse(format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)).as_bytes()).unwrap();
        let kept = serde_json::json!({ "flow": { "traits": deepest } });
        assert_eq!(read_back::<Value>(kept.to_string().as_bytes()).unwrap(), kept);
        assert!(read_back::<Value>(b"{} {}").is_err());
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let text = format!("\"{}\\\"{}\"", "[".repeat(5000), "{".repeat(5000));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn the_whole_text_is_one_value() {
        assert!(parse(b" {\"a\": [1, 2.5e-7, 12345678901234567890]} ").is_ok());
        for bad in ["", "{", "{} x", "{}{}", "nul", "'a'"] {
            assert!(matches!(parse(bad.as_bytes()), Err(JsonError::Syntax(_))), "{bad}");
        }
    }
}

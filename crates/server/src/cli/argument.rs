//! Kinds of values that flags take.

use std::time::Duration;

use portcullis_core::config::value::parse_byte_size;
use portcullis_model::time::parse_duration;

/// A length of time, as the configuration writes it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a length of time such as 500ms, 30s or 1h30m".to_owned())
}

/// A size in bytes, as the configuration writes it.
pub(super) fn size(text: &str) -> Result<u64, String> {
    parse_byte_size(text).ok_or_else(|| "must be a size such as 64MB or 1GB".to_owned())
}

//! `log`: how much is logged, and how.

use serde::Deserialize;

/// `log`.
#[derive(Clone, Debug, Deserialize)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// How.
    #[serde(default)]
    pub format: LogFormat,
    /// Whether secrets and addresses may be logged.
    #[serde(default)]
    pub leak_sensitive_values: bool,
    /// What stands for what is left out; `None`: built in.
    #[serde(default)]
    pub redaction_text: Option<String>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What developers want to know.
    Debug,
    /// What operators want to know.
    Info,
    /// What may need care.
    Warning,
    /// What failed.
    Error,
    /// Here the same as `Error`.
    Fatal,
    /// Here the same as `Error`.
    Panic,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// An object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

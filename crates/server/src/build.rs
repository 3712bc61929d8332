//! Which build this is.

/// The release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where the build told it.
pub const COMMIT: &str = match option_env!("PORTCULLIS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// When it was built, where the build told it.
pub const TIME: &str = match option_env!("PORTCULLIS_BUILD_TIME") {
    Some(time) => time,
    None => "unknown",
};

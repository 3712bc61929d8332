//! Moving in from another server.

mod again;
pub(crate) mod broken_off;
mod courier;
mod people;
mod sessions;

use portcullis_core::kratos::{Extent, Report, move_in};
use portcullis_store::kratos::Source;
use serde_json::{Value, json};

use crate::support::TestApp;

/// What the other server's configuration brings along.
fn second_factors_and_codes() -> Value {
    json!({ "selfservice": { "methods": { "totp": { "enabled": true }, "lookup_secret": { "enabled": true } } } })
}

/// Moves everybody over.
async fn move_over(app: &TestApp, from: &str) -> Report {
    move_as_far(app, from, Extent::People).await
}

/// Moves over as much as is asked for.
async fn move_as_far(app: &TestApp, from: &str, extent: Extent) -> Report {
    let source = Source::open(from).await.unwrap();
    let contents = source.contents().await.unwrap();
    move_in(&app.app, &source, contents, extent, None, &mut |_| {}).await.unwrap()
}

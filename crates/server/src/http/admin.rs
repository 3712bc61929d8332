//! The admin port's routes, one row each. The path is without the prefix `/admin`, which every route takes and none needs.

use super::table::{Action, Methods, Row, direct, operation};
use super::{health, ports};
use crate::admin::{courier, hooks, identities, recovery, sessions, trials};
use crate::pages;

/// All rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = process_rows();
    rows.extend([
        // Identities.
        operation(Methods::GET, "/identities", |cx, _| Box::pin(identities::list(cx))),
        operation(Methods::POST, "/identities", |cx, _| Box::pin(identities::create(cx))),
        operation(Methods::PATCH, "/identities", |cx, _| Box::pin(identities::batch(cx))),
        operation(Methods::GET, "/identities/{}", |cx, params| Box::pin(identities::get(cx, params.first()))),
        operation(Methods::PUT, "/identities/{}", |cx, params| Box::pin(identities::replace(cx, params.first()))),
        operation(Methods::PATCH, "/identities/{}", |cx, params| Box::pin(identities::patch(cx, params.first()))),
        operation(Methods::DELETE, "/identities/{}", |cx, params| Box::pin(identities::delete(cx, params.first()))),
        operation(Methods::GET, "/identities/by/external/{}", |cx, params| {
            Box::pin(identities::get_by_external_id(cx, params.first()))
        }),
        operation(Methods::DELETE, "/identities/{}/credentials/{}", |cx, params| {
            Box::pin(identities::delete_credential(cx, params.first(), params.second()))
        }),
        // Recovery.
        operation(Methods::POST, "/recovery/code", |cx, _| Box::pin(recovery::code(cx))),
        operation(Methods::POST, "/recovery/link", |cx, _| Box::pin(recovery::link(cx))),
        // Trying out a social sign-in provider.
        operation(Methods::POST, "/test-login-flows", |cx, _| Box::pin(trials::begin(cx))),
        // Sessions.
        operation(Methods::GET, "/identities/{}/sessions", |cx, params| Box::pin(sessions::of_identity(cx, params.first()))),
        operation(Methods::DELETE, "/identities/{}/sessions", |cx, params| {
            Box::pin(sessions::delete_of_identity(cx, params.first()))
        }),
        operation(Methods::GET, "/sessions", |cx, _| Box::pin(sessions::list(cx))),
        operation(Methods::POST, "/sessions", |cx, _| Box::pin(sessions::bulk(cx))),
        // The caller's own sessions are the public port's.
        (Methods::DELETE, "/sessions", Action::OtherPort),
        operation(Methods::GET, "/sessions/{}", |cx, params| Box::pin(sessions::get(cx, params.first()))),
        operation(Methods::DELETE, "/sessions/{}", |cx, params| Box::pin(sessions::revoke(cx, params.first()))),
        operation(Methods::PATCH, "/sessions/{}/extend", |cx, params| Box::pin(sessions::extend(cx, params.first()))),
        // Messages.
        operation(Methods::GET, "/courier/messages", |cx, _| Box::pin(courier::list(cx))),
        operation(Methods::GET, "/courier/messages/{}", |cx, params| Box::pin(courier::get(cx, params.first()))),
        operation(Methods::POST, "/courier/messages/{}/resend", |cx, params| Box::pin(courier::resend(cx, params.first()))),
        // Calls of web hooks; our own.
        operation(Methods::GET, "/hooks/calls", |cx, _| Box::pin(hooks::list(cx))),
        operation(Methods::GET, "/hooks/calls/{}", |cx, params| Box::pin(hooks::get(cx, params.first()))),
        operation(Methods::DELETE, "/hooks/calls/{}", |cx, params| Box::pin(hooks::forget(cx, params.first()))),
        operation(Methods::POST, "/hooks/calls/{}/replay", |cx, params| Box::pin(hooks::replay(cx, params.first()))),
        operation(Methods::POST, "/hooks/replay", |cx, _| Box::pin(hooks::replay_all(cx))),
    ]);
    rows.extend(pages::admin_rows());
    rows.extend(ports::public_rows());
    rows
}

/// The rows about the process itself: all that a process has which only sends messages.
#[must_use]
pub fn process_rows() -> Vec<Row> {
    vec![
        direct(Methods::GET, "/health/alive", |_, _, _| Box::pin(async { health::alive() })),
        direct(Methods::GET, "/health/ready", |_, cx, _| Box::pin(health::ready_for_operators(cx))),
        direct(Methods::GET, "/health/config", |_, cx, _| Box::pin(async { health::config(cx) })),
        direct(Methods::GET, "/version", |_, _, _| Box::pin(async { health::version() })),
        direct(Methods::GET, "/metrics/prometheus", |edge, cx, _| Box::pin(health::metrics(edge, cx))),
    ]
}

//! The public port's routes, one row each. The path is without the mount.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{self, Reply};
use portcullis_core::flow::{callback, error, login, logout, recovery, registration, settings, verification};
use portcullis_model::flow::{FlowKind, FlowType};

use url::form_urlencoded;

use super::ports;
use super::table::{Answering, Methods, Params, Row, direct, operation};
use super::{health, schemas, sessions};
use crate::pages;

/// All rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        direct(Methods::GET, "/health/alive", |_, _, _| Box::pin(async { health::alive() })),
        direct(Methods::GET, "/health/ready", |_, cx, _| Box::pin(health::ready(cx))),
        // Signing in.
        operation(Methods::GET, "/self-service/login/browser", |cx, _| Box::pin(login::begin(cx, FlowType::Browser))),
        operation(Methods::GET, "/self-service/login/api", |cx, _| Box::pin(login::begin(cx, FlowType::Api))),
        operation(Methods::GET, "/self-service/login/flows", |cx, _| Box::pin(login::fetch(cx))),
        operation(Methods::DELETE, "/self-service/login/test", |cx, _| Box::pin(login::trial::remove(cx))),
        // Signing up.
        operation(Methods::GET, "/self-service/registration/browser", |cx, _| {
            Box::pin(registration::begin(cx, FlowType::Browser))
        }),
        operation(Methods::GET, "/self-service/registration/api", |cx, _| Box::pin(registration::begin(cx, FlowType::Api))),
        operation(Methods::GET, "/self-service/registration/flows", |cx, _| Box::pin(registration::fetch(cx))),
        // Changing one's own account.
        operation(Methods::GET, "/self-service/settings/browser", |cx, _| Box::pin(settings::begin(cx, FlowType::Browser))),
        operation(Methods::GET, "/self-service/settings/api", |cx, _| Box::pin(settings::begin(cx, FlowType::Api))),
        operation(Methods::GET, "/self-service/settings/flows", |cx, _| Box::pin(settings::fetch(cx))),
        operation(Methods::GET, "/.well-known/change-password", |cx, _| Box::pin(async { change_password(cx) })),
        // Getting back into an account.
        operation(Methods::GET, "/self-service/recovery/browser", |cx, _| Box::pin(recovery::begin(cx, FlowType::Browser))),
        operation(Methods::GET, "/self-service/recovery/api", |cx, _| Box::pin(recovery::begin(cx, FlowType::Api))),
        operation(Methods::GET, "/self-service/recovery/flows", |cx, _| Box::pin(recovery::fetch(cx))),
        // Proving an address.
        operation(Methods::GET, "/self-service/verification/browser", |cx, _| {
            Box::pin(verification::begin(cx, FlowType::Browser))
        }),
        operation(Methods::GET, "/self-service/verification/api", |cx, _| Box::pin(verification::begin(cx, FlowType::Api))),
        operation(Methods::GET, "/self-service/verification/flows", |cx, _| Box::pin(verification::fetch(cx))),
        // Signing out.
        operation(Methods::HEAD, "/self-service/logout", |_, _| Box::pin(async { nothing_happened() })),
        operation(Methods::GET, "/self-service/logout/browser", |cx, _| Box::pin(logout::begin(cx))),
        operation(Methods::GET, "/self-service/logout", |cx, _| Box::pin(logout::finish_browser(cx))),
        operation(Methods::DELETE, "/self-service/logout/api", |cx, _| Box::pin(logout::finish_native(cx))),
        operation(Methods::GET, "/self-service/errors", |cx, _| Box::pin(error::fetch(cx))),
        // Coming back from a social sign-in provider.
        operation(Methods::HEAD, "/self-service/methods/oidc/callback", |_, _| Box::pin(async { nothing_happened() })),
        operation(Methods::GET, "/self-service/methods/oidc/callback", |cx, _| Box::pin(callback::come_back(cx, "oidc", None))),
        operation(Methods::HEAD, "/self-service/methods/oidc/callback/{}", |_, _| Box::pin(async { nothing_happened() })),
        operation(Methods::GET, "/self-service/methods/oidc/callback/{}", |cx, params| {
            Box::pin(callback::come_back(cx, "oidc", Some(params.first())))
        }),
        operation(Methods::POST, "/self-service/methods/oidc/callback/{}", |cx, _| Box::pin(async { by_get(cx) })),
        // Sessions.
        operation(Methods::ANY, "/sessions/whoami", |cx, _| Box::pin(sessions::whoami(cx))),
        operation(Methods::GET, "/sessions", |cx, _| Box::pin(sessions::list_mine(cx))),
        operation(Methods::DELETE, "/sessions", |cx, _| Box::pin(sessions::revoke_others(cx))),
        operation(Methods::GET, "/sessions/token-exchange", |cx, _| Box::pin(sessions::exchange(cx))),
        operation(Methods::DELETE, "/sessions/{}", |cx, params| Box::pin(sessions::revoke_one(cx, params.first()))),
        // Identity schemas.
        operation(Methods::GET, "/schemas", |cx, _| Box::pin(schemas::list(cx))),
        operation(Methods::GET, "/admin/schemas", |cx, _| Box::pin(schemas::list(cx))),
        operation(Methods::GET, "/schemas/{}", |cx, params| Box::pin(schemas::get(cx, params.first()))),
        operation(Methods::GET, "/admin/schemas/{}", |cx, params| Box::pin(schemas::get(cx, params.first()))),
    ];
    rows.extend(submit("/self-service/login", |cx, _| Box::pin(login::submit(cx))));
    rows.extend(submit("/self-service/registration", |cx, _| Box::pin(registration::submit(cx))));
    rows.extend(submit("/self-service/recovery", |cx, _| Box::pin(recovery::submit(cx))));
    rows.extend(submit("/self-service/verification", |cx, _| Box::pin(verification::submit(cx))));
    rows.extend(submit("/self-service/settings", |cx, _| Box::pin(settings::submit(cx))));
    rows.extend(pages::rows());
    rows.extend(ports::admin_rows());
    rows
}

/// The rows of a route that takes forms and links.
fn submit(path: &'static str, run: for<'a> fn(&'a Cx, &'a Params<'a>) -> Answering<'a, Reply>) -> [Row; 3] {
    [
        operation(Methods::HEAD, path, |_, _| Box::pin(async { nothing_happened() })),
        operation(Methods::GET, path, run),
        operation(Methods::POST, path, run),
    ]
}

/// `HEAD` where `GET` has effects, such as using up the code in a link: programs that look at the links of a mail before its
/// reader does ask so.
fn nothing_happened() -> Reply {
    Reply { status: 200, ..Reply::no_content() }
}

/// A provider that sends people back with a form is answered with the same in an address. The cookies that know the browser
/// come along only then: browsers do not send them with forms of other sites.
fn by_get(cx: &Cx) -> Reply {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(&cx.request.body).into_owned().collect();
    pairs.sort();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Reply::redirect(302, cx.public_url(&format!("{}?{query}", cx.request.path)))
}

/// `GET /.well-known/change-password`: where password managers lead people (W3C, "A Well-Known URL for Changing
/// Passwords").
fn change_password(cx: &Cx) -> Reply {
    Reply::see_other(engine::page(cx, FlowKind::Settings))
}

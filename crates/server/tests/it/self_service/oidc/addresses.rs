//! Where a provider leads us: nothing that it says, and nothing that a name turns out to be, reaches what is private.

use std::collections::HashMap;

use portcullis_core::outbound::World;
use serde_json::{Value, json};

use super::leave;
use crate::support::{Provider, Spa, TestApp, with};

/// What is asked on the way of a sign-in: its path, and the member by which the issuer's document or the configuration names it.
const ENDPOINTS: [(&str, &str); 5] = [
    ("/.well-known/openid-configuration", "issuer_url"),
    ("/token", "token_endpoint"),
    ("/jwks", "jwks_uri"),
    ("/userinfo", "userinfo_endpoint"),
    ("/mapper", "mapper_url"),
];

/// How somebody is led there.
#[derive(Clone, Copy, Debug)]
enum By {
    Redirect,
    ItsOwnWord,
}

/// A sign-in under way to something private; whether that was asked.
async fn reaches(endpoint: (&str, &str), by: By, named: bool, guarded: bool) -> bool {
    let (provider, inner) = (Provider::start().await, Provider::start().await);
    let address = inner.url().strip_prefix("http://").unwrap().to_owned();
    let target = if named { "http://inner.example".to_owned() } else { inner.url() };
    let (path, member) = endpoint;
    let mut more = json!({ "claims_source": "userinfo" });
    match by {
        By::Redirect => provider.answer(path, 307, Some(format!("{target}{path}"))),
        By::ItsOwnWord if path == "/mapper" || member == "issuer_url" => {}
        By::ItsOwnWord => provider.document(json!({ member: format!("{target}{path}") })),
    }
    match (member, by) {
        ("mapper_url", By::Redirect) => more["mapper_url"] = json!(format!("{}/mapper", provider.url())),
        ("mapper_url", By::ItsOwnWord) => more["mapper_url"] = json!(format!("{target}/mapper")),
        ("issuer_url", By::ItsOwnWord) => more["issuer_url"] = json!(target),
        _ => {}
    }
    let rules = json!({ "clients": { "http": {
        "disallow_private_ip_ranges": guarded, "private_ip_exception_urls": [format!("{}/**", provider.url())],
    } } });
    let world = World::with(HashMap::from([("inner.example".to_owned(), address.parse().unwrap())]), &[]).unwrap();
    let app = TestApp::within(world, with(provider.settings(&[("op", more)]), &rules)).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("registration").await;
    let left = spa.submit(&form, json!({ "method": "oidc", "provider": "op" })).await;
    let url = left.json()["redirect_browser_to"].as_str().unwrap_or_default().to_owned();
    if url.starts_with(&provider.url()) {
        let mut browser = spa.browser();
        browser.get(&provider.visit(&url)).await;
        assert_eq!(browser.fetch("/sessions/whoami").await.status, 401, "{endpoint:?} {by:?}");
    }
    inner.asked_at_all() > 0
}

#[tokio::test]
async fn nothing_that_is_asked_on_the_way_leads_to_what_is_private() {
    for endpoint in ENDPOINTS {
        for by in [By::Redirect, By::ItsOwnWord] {
            for named in [false, true] {
                assert!(!reaches(endpoint, by, named, true).await, "{endpoint:?} {by:?}, named: {named}");
            }
        }
        // Only the rule is in the way. (What has a body is never carried to another origin.)
        let by = if endpoint.0 == "/token" { By::ItsOwnWord } else { By::Redirect };
        assert!(reaches(endpoint, by, true, false).await, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_public_sign_in_still_works_beside_the_rule() {
    let provider = Provider::start().await;
    let rules = json!({ "clients": { "http": {
        "disallow_private_ip_ranges": true, "private_ip_exception_urls": [format!("{}/**", provider.url())],
    } } });
    let more: Value = json!({ "claims_source": "userinfo" });
    let app = TestApp::with(with(provider.settings(&[("op", more)]), &rules)).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("registration").await;
    let url = leave(&mut spa, &form, "op").await;
    assert_eq!(spa.browser().get(&provider.visit(&url)).await.location(), "http://127.0.0.1:4455/");
}

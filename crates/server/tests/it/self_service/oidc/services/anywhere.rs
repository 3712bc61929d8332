//! Services that can stand anywhere: GitLab, Auth0, Salesforce, UAE PASS. Where they stand is configured; whether they know
//! PKCE is in their issuer's document.

use serde_json::{Value, json};

use super::{Case, Step, tokens};
use crate::support::Told;

/// Where people come back to with a provider that always has PKCE.
const COMMON: &str = "http://127.0.0.1:4433/self-service/methods/oidc/callback";

/// An issuer's document that announces PKCE, or does not.
fn document(line: &'static str, issuer: &str, methods: Value) -> Step {
    Step::get(line).answers(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "code_challenge_methods_supported": methods,
    }))
}

const WITH_PKCE: [(&str, &str); 2] = [("code_challenge", "*"), ("code_challenge_method", "S256")];

fn profile(iss: Option<&str>) -> Value {
    let mut profile = json!({
        "sub": "1207", "name": "Ada Byron", "nickname": "ada", "preferred_username": "ada", "email": "ada@example.org",
        "email_verified": true, "profile": "https://git.example.org/ada", "picture": "https://p.example/1",
    });
    if let Some(iss) = iss {
        profile["iss"] = json!(iss);
    }
    profile
}

#[tokio::test]
async fn gitlab() {
    let scope = json!({ "scope": ["read_user", "openid"] });
    let sent = [("scope", "read_user openid")];
    Case::of("gitlab", scope, "https://gitlab.com/oauth/authorize", &sent)
        .asks(Step::redeem("POST https://gitlab.com/oauth/token").answers(tokens(json!({ "scope": "read_user openid" }))))
        .asks(Step::profile("GET https://gitlab.com/oauth/userinfo").answers(profile(None)))
        .gives(profile(Some("https://gitlab.com")))
        .await;
    let own = json!({ "scope": ["openid"], "issuer_url": "https://git.example.org" });
    let sent = [&WITH_PKCE[..], &[("scope", "openid")]].concat();
    Case::of("gitlab", own, "https://git.example.org/oauth/authorize", &sent)
        .asks(document(
            "GET https://git.example.org/.well-known/openid-configuration",
            "https://git.example.org",
            json!(["plain", "S256"]),
        ))
        .asks(Step::redeem("POST https://git.example.org/oauth/token").answers(tokens(json!({}))))
        .asks(Step::profile("GET https://git.example.org/oauth/userinfo").answers(profile(None)))
        .gives(profile(Some("https://git.example.org")))
        .await;
}

#[tokio::test]
async fn auth0() {
    // Its issuers end with a slash; times of changes are texts.
    let issuer = "https://ada.eu.auth0.com/";
    let mut said = profile(None);
    said["updated_at"] = json!("2022-09-01T12:25:16.000Z");
    let mut claims = profile(Some(issuer));
    claims["updated_at"] = json!(1_662_035_116);
    let settings = json!({ "scope": ["openid", "profile", "email"], "issuer_url": issuer });
    let sent = [&WITH_PKCE[..], &[("scope", "openid profile email")]].concat();
    Case::of("auth0", settings, "https://ada.eu.auth0.com/authorize", &sent)
        .asks(document("GET https://ada.eu.auth0.com/.well-known/openid-configuration", issuer, json!(["S256", "plain"])))
        // Its applications take the secret in the body, unless they are told otherwise.
        .asks(
            Step::redeem("POST https://ada.eu.auth0.com/oauth/token")
                .tells(Told::json(401, &json!({ "error": "access_denied", "error_description": "Unauthorized" }))),
        )
        .asks(Step::redeem_in_body("POST https://ada.eu.auth0.com/oauth/token").answers(tokens(json!({}))))
        .asks(Step::profile("GET https://ada.eu.auth0.com/userinfo").answers(said))
        .gives(claims)
        .await;
}

#[tokio::test]
async fn salesforce() {
    let mut said = profile(None);
    said["updated_at"] = json!("2022-09-01T12:25:16Z");
    let mut claims = profile(Some("https://ada.my.salesforce.com"));
    claims["updated_at"] = json!(1_662_035_116);
    let settings = json!({ "scope": ["openid"], "issuer_url": "https://ada.my.salesforce.com" });
    Case::of("salesforce", settings, "https://ada.my.salesforce.com/services/oauth2/authorize", &[("scope", "openid")])
        // No document: then there is no PKCE either.
        .asks(Step::get("GET https://ada.my.salesforce.com/.well-known/openid-configuration").tells(Told::json(404, &json!({}))))
        .asks(
            Step::redeem_in_body("POST https://ada.my.salesforce.com/services/oauth2/token")
                .answers(tokens(json!({ "instance_url": "https://ada.my.salesforce.com" }))),
        )
        .asks(Step::profile("GET https://ada.my.salesforce.com/services/oauth2/userinfo").answers(said))
        .gives(claims)
        .await;
}

#[tokio::test]
async fn uaepass() {
    let scope = json!({ "scope": ["urn:uae:digitalid:profile:general"] });
    let level = "urn:safelayer:tws:policies:authentication:level:low";
    let said = json!({
        "sub": "UAEPASS/ada", "fullnameEN": "Ada Byron", "firstnameEN": "Ada", "lastnameEN": "Byron", "email": "ada@example.org",
        "gender": "Female", "mobile": "971551234567", "idn": "784",
    });
    for (more, base) in [
        (json!({}), "https://id.uaepass.ae"),
        (json!({ "issuer_url": "https://stg-id.uaepass.ae/" }), "https://stg-id.uaepass.ae"),
    ] {
        let line = |method: &str, path: &str| -> &'static str { format!("{method}{base}/idshub/{path}").leak() };
        let mut settings = scope.clone();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let iss = settings.get("issuer_url").cloned().unwrap_or(json!(base));
        let sent =
            [&WITH_PKCE[..], &[("acr_values", level), ("redirect_uri", COMMON), ("scope", "urn:uae:digitalid:profile:general")]];
        Case::of("uaepass", settings, line("", "authorize"), &sent.concat())
            .asks(
                Step::redeem(line("POST ", "token")).with("redirect_uri", COMMON).answers(tokens(json!({ "expires_in": 3600 }))),
            )
            .asks(Step::profile(line("GET ", "userinfo")).answers(said.clone()))
            .gives(json!({
                "iss": iss, "sub": "UAEPASS/ada", "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
                "last_name": "Byron", "email": "ada@example.org", "gender": "Female", "phone_number": "971551234567",
            }))
            .await;
    }
}

//! How services say no: in good answers, in forms, by leaving things out.

use serde_json::{Value, json};

use super::{Case, Step, TOKEN, Trip, tokens};
use crate::support::Told;

const GITHUB: &str = "https://github.com/login/oauth/authorize";
const GITHUB_TOKEN: &str = "POST https://github.com/login/oauth/access_token";

fn github(scope: &'static str) -> Case {
    Case::of("github", json!({ "scope": [scope] }), GITHUB, &[("scope", scope)])
}

/// The page of errors, and nobody is signed up.
async fn fails(case: Case, what: &str) {
    let Trip { back, person, .. } = case.travel(&[("code", "the-code")]).await;
    assert!(back.location().contains("/error?id="), "{what}: {back:?}");
    assert_eq!(person, None, "{what}");
}

/// Back at the form, and nobody is signed up.
async fn is_refused(case: Case, what: &str) {
    let Trip { back, person, told } = case.travel(&[("code", "the-code")]).await;
    assert_eq!((person, told), (None, vec![4_000_001]), "{what}: {back:?}");
}

#[tokio::test]
async fn errors_in_good_answers_are_errors() {
    let form = |text: &str| Told { status: 200, content_type: "application/x-www-form-urlencoded", body: text.to_owned() };
    let bad_code = json!({ "error": "bad_verification_code", "error_description": "The code passed is incorrect or expired." });
    for (what, told) in [
        ("github, as JSON", Told::json(200, &bad_code)),
        ("github, as a form", form("error=bad_verification_code&error_description=The+code+passed+is+incorrect")),
        ("an empty token", Told::json(200, &tokens(json!({ "access_token": "" })))),
        ("a token that is none", Told::json(200, &tokens(json!({ "access_token": 5 })))),
        ("a page", Told { status: 200, content_type: "text/html", body: "<html>".to_owned() }),
        ("nothing", Told { status: 204, content_type: "text/plain", body: String::new() }),
    ] {
        fails(github("read:user").asks(Step::redeem_in_body(GITHUB_TOKEN).tells(told)), what).await;
    }
    let slack = || Case::of("slack", json!({}), "https://slack.com/oauth/authorize", &[]);
    let token = "POST https://slack.com/api/oauth.access";
    let no = |code: &str| json!({ "ok": false, "error": code });
    fails(slack().asks(Step::redeem_in_body(token).answers(no("invalid_code"))), "slack's token").await;
    let granted = json!({ "ok": true, "access_token": TOKEN, "scope": "identity.basic" });
    let asked = slack()
        .asks(Step::redeem_in_body(token).answers(granted))
        .asks(Step::profile("GET https://slack.com/api/users.identity").answers(no("account_inactive")));
    fails(asked, "slack's profile").await;
    let vk = Case::of("vk", json!({}), "https://oauth.vk.com/authorize", &[])
        .asks(Step::redeem_in_body("POST https://oauth.vk.com/access_token").answers(json!({ "access_token": TOKEN })))
        .asks(
            Step::get("GET https://api.vk.com/method/users.get")
                .query(&[("access_token", TOKEN), ("fields", "photo_200,nickname,bdate,sex"), ("v", "5.103")])
                .answers(
                    json!({ "error": { "error_code": 5, "error_msg": "User authorization failed" }, "response": [{ "id": 1 }] }),
                ),
        );
    fails(vk, "vk's profile").await;
    let dingtalk = Case::of("dingtalk", json!({}), "https://login.dingtalk.com/oauth2/auth", &[("prompt", "consent")]);
    let no = json!({ "code": "invalidParameter.authCode.notFound", "message": "no such code" });
    let redeem = Step {
        body: super::Body::Json(json!({
            "clientId": "our-client", "clientSecret": super::SECRET, "code": "the-code", "grantType": "authorization_code",
        })),
        ..Step::get("POST https://api.dingtalk.com/v1.0/oauth2/userAccessToken")
    };
    fails(dingtalk.asks(redeem.answers(no)), "dingtalk's token").await;
}

#[tokio::test]
async fn scopes_that_were_taken_away_are_missed() {
    for (what, granted) in [
        ("fewer", json!("read:user,gist")),
        ("none", json!("")),
        ("one whose name begins the same", json!("user:emails")),
        ("not told", Value::Null),
    ] {
        let redeem = Step::redeem_in_body(GITHUB_TOKEN).answers(tokens(json!({ "scope": granted })));
        is_refused(github("user:email").asks(redeem), what).await;
    }
    for (kind, place, token, in_body) in [
        ("discord", "https://discord.com/oauth2/authorize", "POST https://discord.com/api/oauth2/token", false),
        ("slack", "https://slack.com/oauth/authorize", "POST https://slack.com/api/oauth.access", true),
        ("spotify", "https://accounts.spotify.com/authorize", "POST https://accounts.spotify.com/api/token", false),
    ] {
        let mut sent = vec![("scope", "a")];
        sent.extend((kind == "discord").then_some(("prompt", "none")));
        let step = if in_body { Step::redeem_in_body(token) } else { Step::redeem(token) };
        let case = Case::of(kind, json!({ "scope": ["a"] }), place, &sent);
        is_refused(case.asks(step.answers(tokens(json!({ "ok": true, "scope": "b" })))), kind).await;
    }
}

#[tokio::test]
async fn nobody_in_particular_is_nobody() {
    for user in [json!({ "login": "octocat" }), json!({ "id": null }), json!({ "id": "" }), json!([]), json!("octocat")] {
        let case = github("read:user")
            .asks(Step::redeem_in_body(GITHUB_TOKEN).answers(tokens(json!({ "scope": "read:user" }))))
            .asks(Step::profile("GET https://api.github.com/user").answers(user.clone()));
        fails(case, &user.to_string()).await;
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_not_left_out_without_a_word() {
    let case = github("user:email")
        .asks(Step::redeem_in_body(GITHUB_TOKEN).answers(tokens(json!({ "scope": "user:email" }))))
        .asks(Step::profile("GET https://api.github.com/user").answers(json!({ "id": 1, "email": "public@example.org" })))
        .asks(Step::profile("GET https://api.github.com/user/emails").tells(Told::json(503, &json!({}))));
    fails(case, "the addresses").await;
}

#[tokio::test]
async fn who_does_not_take_the_secret_in_the_head_gets_it_in_the_body() {
    let token = "POST https://oauth.yandex.com/token";
    for told in [
        Told::json(401, &json!({})),
        Told::json(400, &json!({ "error": "invalid_client" })),
        Told::json(400, &json!({ "error": "invalid_request" })),
    ] {
        let case = Case::of("yandex", json!({}), "https://oauth.yandex.com/authorize", &[])
            .asks(Step::redeem(token).tells(told))
            .asks(Step::redeem_in_body(token).answers(tokens(json!({}))))
            .asks(
                Step::get("GET https://login.yandex.ru/info")
                    .query(&[("format", "json"), ("oauth_token", TOKEN)])
                    .answers(json!({ "id": "1" })),
            );
        case.gives(json!({ "iss": "https://login.yandex.ru/info", "sub": "1" })).await;
    }
    // A code that is none is not tried twice.
    let case = Case::of("yandex", json!({}), "https://oauth.yandex.com/authorize", &[])
        .asks(Step::redeem(token).tells(Told::json(400, &json!({ "error": "invalid_grant" }))));
    fails(case, "a bad code").await;
}

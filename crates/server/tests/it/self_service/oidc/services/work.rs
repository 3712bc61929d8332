//! Services of the working day: Slack, LinkedIn's older API, DingTalk, Lark.

use serde_json::json;

use super::{Body, Case, SECRET, Step, TOKEN, tokens};

#[tokio::test]
async fn slack() {
    let scope = json!({ "scope": ["identity.basic", "identity.email"] });
    let sent = [("scope", "identity.basic,identity.email")];
    Case::of("slack", scope, "https://slack.com/oauth/authorize", &sent)
        .asks(Step::redeem_in_body("POST https://slack.com/api/oauth.access").answers(
            json!({ "ok": true, "access_token": TOKEN, "scope": "identity.basic,identity.email", "team_id": "T0G9PQBBK" }),
        ))
        .asks(Step::profile("GET https://slack.com/api/users.identity").answers(json!({
            "ok": true,
            "user": { "name": "Ada Byron", "id": "U0G9QF9C6", "email": "ada@example.org", "image_512": "https://p.example/512" },
            "team": { "id": "T0G9PQBBK", "name": "Engines" },
        })))
        .gives(json!({
            "iss": "https://slack.com/oauth/", "sub": "U0G9QF9C6", "name": "Ada Byron", "nickname": "Ada Byron",
            "preferred_username": "Ada Byron", "email": "ada@example.org", "email_verified": true,
            "picture": "https://p.example/512", "team": "T0G9PQBBK",
        }))
        .await;
}

#[tokio::test]
async fn linkedin() {
    let size = |n: u32| json!({ "identifiers": [{ "identifier": format!("https://p.example/{n}") }] });
    for (sizes, picture) in [
        (json!([size(100), size(200), size(400), size(800)]), Some("https://p.example/400")),
        (json!([size(100)]), Some("https://p.example/100")),
        (json!([]), None),
    ] {
        let mut claims = json!({
            "iss": "https://login.linkedin.com/", "sub": "yrZCpj2Z12", "name": "Ada Byron", "given_name": "Ada",
            "family_name": "Byron", "last_name": "Byron", "email": "ada@example.org",
        });
        if let Some(picture) = picture {
            claims["picture"] = json!(picture);
        }
        let projection =
            "(id,localizedFirstName,localizedLastName,profilePicture(displayImage~digitalmediaAsset:playableStreams))";
        let scope = json!({ "scope": ["r_liteprofile", "r_emailaddress"] });
        let sent = [("scope", "r_liteprofile r_emailaddress")];
        Case::of("linkedin", scope, "https://www.linkedin.com/oauth/v2/authorization", &sent)
            .asks(Step::redeem_in_body("POST https://www.linkedin.com/oauth/v2/accessToken").answers(tokens(json!({}))))
            .asks(Step::profile("GET https://api.linkedin.com/v2/me").query(&[("projection", projection)]).answers(json!({
                "id": "yrZCpj2Z12", "localizedFirstName": "Ada", "localizedLastName": "Byron",
                "profilePicture": { "displayImage": "urn:li:digitalmediaAsset:C4", "displayImage~": { "elements": sizes } },
            })))
            .asks(
                Step::profile("GET https://api.linkedin.com/v2/emailAddress")
                    .query(&[("q", "members"), ("projection", "(elements*(handle~))")])
                    .answers(json!({ "elements": [{
                        "handle": "urn:li:emailAddress:3775708763", "handle~": { "emailAddress": "ada@example.org" },
                    }] })),
            )
            .gives(claims)
            .await;
    }
}

#[tokio::test]
async fn dingtalk() {
    let redeem = Step {
        body: Body::Json(json!({
            "clientId": "our-client", "clientSecret": SECRET, "code": "the-code", "grantType": "authorization_code",
        })),
        ..Step::get("POST https://api.dingtalk.com/v1.0/oauth2/userAccessToken")
    };
    let sent = [("prompt", "consent"), ("scope", "openid")];
    Case::of("dingtalk", json!({ "scope": ["openid"] }), "https://login.dingtalk.com/oauth2/auth", &sent)
        .asks(
            redeem
                .header("content-type", "application/json")
                .answers(json!({ "accessToken": TOKEN, "refreshToken": "the-refresh-token", "expireIn": 7200 })),
        )
        .asks(
            Step::get("GET https://api.dingtalk.com/v1.0/contact/users/me")
                .header("x-acs-dingtalk-access-token", TOKEN)
                .header("authorization", "")
                .answers(json!({
                    "nick": "Ada", "avatarUrl": "https://p.example/1", "mobile": "150xxxx9144", "openId": "liSii8KCxxxxx",
                    "unionId": "z21HjQliSzpw0Yxxxx", "email": "ada@example.org", "stateCode": "86",
                })),
        )
        .gives(json!({
            "iss": "https://api.dingtalk.com/v1.0/contact/users/me", "sub": "liSii8KCxxxxx", "name": "Ada", "nickname": "Ada",
            "picture": "https://p.example/1", "email": "ada@example.org",
        }))
        .await;
}

#[tokio::test]
async fn lark() {
    Case::of("lark", json!({}), "https://passport.feishu.cn/suite/passport/oauth/authorize", &[])
        .asks(
            Step::redeem_in_body("POST https://passport.feishu.cn/suite/passport/oauth/token")
                .answers(tokens(json!({ "expires_in": 7140, "refresh_expires_in": 2_591_940 }))),
        )
        .asks(Step::profile("GET https://passport.feishu.cn/suite/passport/oauth/userinfo").answers(json!({
            "sub": "ou_caecc734c2e3328a62489fe0648c4b98779515d3", "name": "Ada", "picture": "https://p.example/72",
            "open_id": "ou_caecc734c2e3328a62489fe0648c4b98779515d3", "union_id": "on_d89j", "en_name": "Ada",
            "tenant_key": "736588c92lxf175d", "avatar_url": "https://p.example/1", "email": "ada@example.org",
            "mobile": "+86130xxxx0000",
        })))
        .gives(json!({
            "iss": "https://passport.feishu.cn/suite/passport/oauth/userinfo",
            "sub": "ou_caecc734c2e3328a62489fe0648c4b98779515d3", "name": "Ada", "nickname": "Ada",
            "picture": "https://p.example/1", "email": "ada@example.org", "phone_number": "+86130xxxx0000",
        }))
        .await;
}

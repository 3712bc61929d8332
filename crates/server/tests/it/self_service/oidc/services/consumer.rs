//! Services that people know: GitHub, Discord, Spotify, Facebook, Patreon, VK, Yandex, Amazon.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::{Case, SECRET, Step, TOKEN, again, ok, tokens};
use crate::support::Told;

#[tokio::test]
async fn github() {
    let user = json!({
        "login": "octocat", "id": 583_231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "avatar_url": "https://avatars.example/583231",
        "html_url": "https://github.com/octocat", "type": "User", "name": "The Octocat", "blog": "https://github.blog",
        "email": null, "updated_at": "2018-01-22T12:25:16Z",
    });
    let emails = json!([
        { "email": "other@example.org", "primary": false, "verified": true, "visibility": null },
        { "email": "octocat@example.org", "primary": true, "verified": true, "visibility": "private" },
    ]);
    let claims = json!({
        "iss": "https://github.com/login/oauth/access_token", "sub": "583231", "name": "The Octocat", "nickname": "octocat",
        "preferred_username": "octocat", "profile": "https://github.com/octocat", "picture": "https://avatars.example/583231",
        "website": "https://github.blog", "email": "octocat@example.org", "email_verified": true, "updated_at": 1_516_623_916,
    });
    // It separates scopes by commas, and answers a form to whoever does not ask for JSON.
    let form = format!("access_token={TOKEN}&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer");
    let told = Told { status: 200, content_type: "application/x-www-form-urlencoded; charset=utf-8", body: form };
    for (kind, scope) in [("github", json!(["user:email", "read:user"])), ("github-app", json!([]))] {
        let sent: &[(&str, &str)] = if kind == "github" { &[("scope", "user:email read:user")] } else { &[] };
        Case::of(kind, json!({ "scope": scope }), "https://github.com/login/oauth/authorize", sent)
            .asks(Step::redeem_in_body("POST https://github.com/login/oauth/access_token").tells(told.clone()))
            .asks(Step::profile("GET https://api.github.com/user").answers(user.clone()))
            .asks(Step::profile("GET https://api.github.com/user/emails").answers(emails.clone()))
            .gives(claims.clone())
            .await;
    }
}

#[tokio::test]
async fn discord() {
    for (more, picture, name) in [
        (json!({ "avatar": "8342729096ea", "discriminator": "0" }), "8342729096ea.png", "nelly"),
        (json!({ "avatar": "a_8342729096ea", "discriminator": "1337" }), "a_8342729096ea.gif", "nelly#1337"),
    ] {
        let mut user = json!({
            "id": "80351110224678912", "username": "nelly", "verified": true, "email": "nelly@example.org", "locale": "en-US",
        });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let sent = [("prompt", "none"), ("scope", "identify email")];
        Case::of("discord", json!({ "scope": ["identify", "email"] }), "https://discord.com/oauth2/authorize", &sent)
            .asks(Step::redeem("POST https://discord.com/api/oauth2/token").answers(tokens(json!({ "scope": "email identify" }))))
            .asks(Step::profile("GET https://discord.com/api/v10/users/@me").answers(user))
            .gives(json!({
                "iss": "https://discord.com/api/oauth2/", "sub": "80351110224678912", "name": name, "nickname": "nelly",
                "preferred_username": "nelly", "email": "nelly@example.org", "email_verified": true, "locale": "en-US",
                "picture": format!("https://cdn.discordapp.com/avatars/80351110224678912/{picture}"),
            }))
            .await;
    }
}

#[tokio::test]
async fn spotify() {
    let scope = json!({ "scope": ["user-read-email", "user-read-private"] });
    let sent = [("scope", "user-read-email user-read-private")];
    Case::of("spotify", scope, "https://accounts.spotify.com/authorize", &sent)
        .asks(
            Step::redeem("POST https://accounts.spotify.com/api/token")
                .answers(tokens(json!({ "scope": "user-read-private user-read-email" }))),
        )
        .asks(Step::profile("GET https://api.spotify.com/v1/me").answers(json!({
            "display_name": "Ada", "id": "wizzler", "email": "ada@example.org", "href": "https://api.spotify.com/v1/users/wizzler",
            "external_urls": { "spotify": "https://open.spotify.com/user/wizzler" }, "type": "user", "country": "SE",
            "images": [{ "url": "https://i.example/1", "height": null, "width": null }],
        })))
        .gives(json!({
            "iss": "https://accounts.spotify.com/api/token", "sub": "wizzler", "name": "Ada", "nickname": "Ada",
            "preferred_username": "Ada", "profile": "https://open.spotify.com/user/wizzler", "picture": "https://i.example/1",
            "email": "ada@example.org",
        }))
        .await;
}

#[tokio::test]
async fn facebook() {
    // Made here once more, so that both must be right.
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(TOKEN.as_bytes());
    let proof = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let fields = "id,name,first_name,last_name,middle_name,email,picture,birthday,gender";
    let sent = [("scope", "email public_profile openid")];
    Case::of("facebook", json!({ "scope": ["email", "public_profile"] }), "https://facebook.com/dialog/oauth", &sent)
        .asks(Step::redeem_in_body("POST https://graph.facebook.com/oauth/access_token").answers(tokens(json!({}))))
        .asks(
            Step::profile("GET https://graph.facebook.com/me").query(&[("fields", fields), ("appsecret_proof", &proof)]).answers(
                json!({
                    "id": "10158", "name": "Ada Byron", "first_name": "Ada", "last_name": "Byron", "email": "ada@example.org",
                    "picture": { "data": { "height": 50, "is_silhouette": false, "url": "https://p.example/1", "width": 50 } },
                    "birthday": "12/10/1815", "gender": "female",
                }),
            ),
        )
        .gives(json!({
            "iss": "https://graph.facebook.com/me", "sub": "10158", "name": "Ada Byron", "given_name": "Ada",
            "family_name": "Byron", "last_name": "Byron", "nickname": "Ada Byron", "preferred_username": "Ada Byron",
            "picture": "https://p.example/1", "email": "ada@example.org", "email_verified": true, "gender": "female",
            "birthdate": "12/10/1815",
        }))
        .await;
}

#[tokio::test]
async fn patreon() {
    let sent = [("prompt", "none"), ("scope", "identity identity[email]")];
    let scope = json!({ "scope": ["identity", "identity[email]"] });
    Case::of("patreon", scope, "https://www.patreon.com/oauth2/authorize", &sent)
        .asks(Step::redeem_in_body("POST https://www.patreon.com/api/oauth2/token").answers(tokens(json!({}))))
        .asks(
            Step::profile("GET https://www.patreon.com/api/oauth2/v2/identity")
                .query(&[("fields[user]", "first_name,last_name,url,full_name,email,image_url")])
                .answers(json!({ "data": { "type": "user", "id": "32187", "attributes": {
                    "email": "ada@example.org", "first_name": "Ada", "last_name": "Byron", "full_name": "Ada Byron",
                    "image_url": "https://p.example/1", "url": "https://www.patreon.com/ada",
                } } })),
        )
        .gives(json!({
            "iss": "https://www.patreon.com/", "sub": "32187", "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
            "last_name": "Byron", "email": "ada@example.org", "picture": "https://p.example/1",
            "profile": "https://www.patreon.com/ada",
        }))
        .await;
}

#[tokio::test]
async fn vk() {
    Case::of("vk", json!({ "scope": ["email"] }), "https://oauth.vk.com/authorize", &[("scope", "email")])
        // The address comes beside the token.
        .asks(Step::redeem_in_body("POST https://oauth.vk.com/access_token").answers(json!({
            "access_token": TOKEN, "expires_in": 86_400, "user_id": 210_700_286, "email": "ada@example.org",
        })))
        .asks(
            Step::get("GET https://api.vk.com/method/users.get")
                .header("authorization", "")
                .query(&[("access_token", TOKEN), ("fields", "photo_200,nickname,bdate,sex"), ("v", "5.103")])
                .answers(json!({ "response": [{
                    "id": 210_700_286, "first_name": "Ada", "last_name": "Byron", "nickname": "", "sex": 1,
                    "bdate": "10.12.1815", "photo_200": "https://p.example/1",
                }] })),
        )
        .gives(json!({
            "iss": "https://api.vk.com/method/users.get", "sub": "210700286", "given_name": "Ada", "family_name": "Byron",
            "last_name": "Byron", "picture": "https://p.example/1", "email": "ada@example.org", "gender": "female",
            "birthdate": "10.12.1815",
        }))
        .await;
}

#[tokio::test]
async fn yandex() {
    for (is_empty, picture) in [(false, Some("https://avatars.yandex.net/get-yapic/131652443/islands-200")), (true, None)] {
        let mut claims = json!({
            "iss": "https://login.yandex.ru/info", "sub": "1000034426", "name": "Ada Byron", "given_name": "Ada",
            "family_name": "Byron", "last_name": "Byron", "nickname": "ada", "preferred_username": "ada",
            "email": "ada@example.org", "gender": "female", "birthdate": "1815-12-10",
        });
        if let Some(picture) = picture {
            claims["picture"] = json!(picture);
        }
        let scope = json!({ "scope": ["login:email", "login:info"] });
        Case::of("yandex", scope, "https://oauth.yandex.com/authorize", &[("scope", "login:email login:info")])
            .asks(Step::redeem("POST https://oauth.yandex.com/token").answers(tokens(json!({ "expires_in": 124_234_123 }))))
            .asks(
                Step::get("GET https://login.yandex.ru/info")
                    .header("authorization", "")
                    .query(&[("format", "json"), ("oauth_token", TOKEN)])
                    .answers(json!({
                        "id": "1000034426", "login": "ada", "client_id": "our-client", "real_name": "Ada Byron",
                        "first_name": "Ada", "last_name": "Byron", "sex": "female", "default_email": "ada@example.org",
                        "emails": ["ada@example.org"], "birthday": "1815-12-10", "default_avatar_id": "131652443",
                        "is_avatar_empty": is_empty,
                    })),
            )
            .gives(claims)
            .await;
    }
}

#[tokio::test]
async fn amazon() {
    // It refuses requests with other scopes than its own.
    let scope = json!({ "scope": ["profile", "email", "postal_code"] });
    Case::of("amazon", scope, "https://www.amazon.com/ap/oa", &[("scope", "profile postal_code")])
        .asks(Step::redeem("POST https://api.amazon.com/auth/o2/token").answers(tokens(json!({ "expires_in": 3600 }))))
        .asks(Step::profile("GET https://api.amazon.com/user/profile").answers(json!({
            "user_id": "amzn1.account.K2LI23KL2LK2", "email": "ada@example.org", "name": "Ada Byron", "postal_code": "98052",
        })))
        .gives(json!({
            "iss": "https://api.amazon.com/auth/o2/token", "sub": "amzn1.account.K2LI23KL2LK2", "name": "Ada Byron",
            "email": "ada@example.org", "zoneinfo": "98052",
        }))
        .await;
}

#[tokio::test]
async fn each_is_asked_in_its_own_words_to_have_people_prove_themselves_anew() {
    for (kind, parameter, value) in
        [("discord", "prompt", "consent"), ("facebook", "auth_type", "reauthenticate"), ("github-app", "prompt", "login")]
    {
        let settings = Case::of(kind, json!({}), "", &[]).settings;
        let names = ["discord.com", "graph.facebook.com", "github.com", "api.github.com"];
        let url = again(settings, &names, |asked| {
            ok(&if asked.line.starts_with("POST") {
                tokens(json!({}))
            } else if asked.line.ends_with("/emails") {
                json!([])
            } else {
                json!({ "id": "1", "email": "ada@example.org" })
            })
        })
        .await;
        let asked: Vec<_> = url.query_pairs().filter(|(k, _)| k == parameter).map(|(_, v)| v.into_owned()).collect();
        assert_eq!(asked, [value], "{url}");
    }
}

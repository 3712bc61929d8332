//! Profiles of services that have no ID tokens: where each is asked for, and what its words mean.

use aws_lc_rs::hmac;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use super::fixed::Service;
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::oidc::token::{accepts_json, get, json_of};
use crate::oidc::{Claims, OidcError, Tokens, ask};
use crate::outbound::{Method, Request, Trust};

const ENDPOINT: &str = "the profile endpoint";

/// Who somebody is, by the service's profile of who owns the access token.
pub(super) async fn claims(cx: &Cx, provider: &Provider, service: Service, tokens: &Tokens) -> Result<Claims, OidcError> {
    check_scopes(provider, service, tokens)?;
    let profile = fetch(cx, provider, service, tokens).await?;
    let raw = profile.as_object().cloned().unwrap_or_default();
    let mut said = meaning(service, &profile, tokens);
    if said.get("iss").and_then(Value::as_str).is_none_or(str::is_empty) {
        said.insert("iss".to_owned(), service.name(provider)?.into());
    }
    Claims::named(said, raw).ok_or(OidcError::NoSubject)
}

/// People may take scopes away on the service's page; a mapper that counts on them must not see less.
fn check_scopes(provider: &Provider, service: Service, tokens: &Tokens) -> Result<(), OidcError> {
    let granted = tokens.scopes();
    if !service.tells_scopes() || provider.scope.iter().all(|asked| granted.contains(&asked.as_str())) {
        return Ok(());
    }
    Err(OidcError::refused("not all scopes were granted that are needed"))
}

async fn fetch(cx: &Cx, provider: &Provider, service: Service, tokens: &Tokens) -> Result<Value, OidcError> {
    let bearer = Some(tokens.access.as_str());
    let plain = |address: &'static str| get(cx, ENDPOINT, address, bearer);
    match service {
        Service::Amazon => plain("https://api.amazon.com/user/profile").await,
        Service::Discord => plain("https://discord.com/api/v10/users/@me").await,
        Service::Lark => plain("https://passport.feishu.cn/suite/passport/oauth/userinfo").await,
        Service::Spotify => plain("https://api.spotify.com/v1/me").await,
        Service::Slack => plain("https://slack.com/api/users.identity").await,
        Service::Patreon => plain(
            "https://www.patreon.com/api/oauth2/v2/identity?fields%5Buser%5D=first_name,last_name,url,full_name,email,image_url",
        )
        .await,
        Service::Auth0 => get(cx, ENDPOINT, &at(service, provider, "/userinfo")?, bearer).await,
        Service::Gitlab => get(cx, ENDPOINT, &at(service, provider, "/oauth/userinfo")?, bearer).await,
        Service::Salesforce => get(cx, ENDPOINT, &at(service, provider, "/services/oauth2/userinfo")?, bearer).await,
        Service::Uaepass => get(cx, ENDPOINT, &at(service, provider, "/idshub/userinfo")?, bearer).await,
        Service::Github | Service::GithubApp => github(cx, provider, service, tokens).await,
        Service::Linkedin => linkedin(cx, tokens).await,
        Service::Dingtalk => dingtalk(cx, tokens).await,
        Service::Facebook => {
            // It proves that whoever has the token also has the app's secret.
            let key = hmac::Key::new(hmac::HMAC_SHA256, provider.client_secret.expose().as_bytes());
            let proof = data_encoding::HEXLOWER.encode(hmac::sign(&key, tokens.access.as_bytes()).as_ref());
            let fields = "id,name,first_name,last_name,middle_name,email,picture,birthday,gender";
            let query = [("fields", fields), ("appsecret_proof", proof.as_str())];
            get(cx, ENDPOINT, &with(ENDPOINT, "https://graph.facebook.com/me", &query)?, bearer).await
        }
        Service::Vk => {
            let query = [("fields", "photo_200,nickname,bdate,sex"), ("access_token", tokens.access.as_str()), ("v", "5.103")];
            get(cx, ENDPOINT, &with(ENDPOINT, "https://api.vk.com/method/users.get", &query)?, None).await
        }
        Service::Yandex => {
            let query = [("format", "json"), ("oauth_token", tokens.access.as_str())];
            get(cx, ENDPOINT, &with(ENDPOINT, "https://login.yandex.ru/info", &query)?, None).await
        }
    }
}

fn at(service: Service, provider: &Provider, path: &str) -> Result<String, OidcError> {
    Ok(format!("{}{path}", service.base(provider)?.unwrap_or_default()))
}

fn with(endpoint: &'static str, address: &str, query: &[(&str, &str)]) -> Result<String, OidcError> {
    let url = Url::parse_with_params(address, query).map_err(|_| OidcError::upstream(endpoint, "its address is no URL"))?;
    Ok(url.into())
}

/// The profile and, where that may be asked for, the primary address with whether it is verified.
async fn github(cx: &Cx, provider: &Provider, service: Service, tokens: &Tokens) -> Result<Value, OidcError> {
    let bearer = Some(tokens.access.as_str());
    let mut user = get(cx, ENDPOINT, "https://api.github.com/user", bearer).await?;
    let may_ask = service == Service::GithubApp || provider.scope.iter().any(|s| s == "user:email" || s == "user");
    if may_ask
        && let Value::Array(emails) = get(cx, ENDPOINT, "https://api.github.com/user/emails", bearer).await?
        && let Some(primary) = emails.into_iter().find(|e| e.get("primary") == Some(&Value::Bool(true)))
        && let Some(user) = user.as_object_mut()
    {
        let take = |name: &str| primary.get(name).cloned().unwrap_or(Value::Null);
        user.insert("email".to_owned(), take("email"));
        user.insert("email_verified".to_owned(), take("verified"));
    }
    Ok(user)
}

async fn linkedin(cx: &Cx, tokens: &Tokens) -> Result<Value, OidcError> {
    let bearer = Some(tokens.access.as_str());
    let projection = "(id,localizedFirstName,localizedLastName,profilePicture(displayImage~digitalmediaAsset:playableStreams))";
    let me = with(ENDPOINT, "https://api.linkedin.com/v2/me", &[("projection", projection)])?;
    let mut me = get(cx, ENDPOINT, &me, bearer).await?;
    let query = [("q", "members"), ("projection", "(elements*(handle~))")];
    let emails = get(cx, ENDPOINT, &with(ENDPOINT, "https://api.linkedin.com/v2/emailAddress", &query)?, bearer).await?;
    if let (Some(me), Some(email)) = (me.as_object_mut(), emails.pointer("/elements/0/handle~/emailAddress")) {
        me.insert("email".to_owned(), email.clone());
    }
    Ok(me)
}

async fn dingtalk(cx: &Cx, tokens: &Tokens) -> Result<Value, OidcError> {
    let address = "https://api.dingtalk.com/v1.0/contact/users/me";
    let url = Url::parse(address).map_err(|_| OidcError::upstream(ENDPOINT, "its address is no URL"))?;
    let mut request = Request::new(Method::GET, url, Trust::Operator);
    request.headers = accepts_json();
    let mut token = HeaderValue::from_str(&tokens.access).map_err(|_| OidcError::upstream(ENDPOINT, "its token is none"))?;
    token.set_sensitive(true);
    request.headers.insert(HeaderName::from_static("x-acs-dingtalk-access-token"), token);
    json_of(ENDPOINT, &ask(cx, ENDPOINT, request).await?)
}

/// What a profile says, in the words of OpenID Connect. Each pair is a claim and where the profile has it.
fn meaning(service: Service, profile: &Value, tokens: &Tokens) -> Map<String, Value> {
    let pairs: &[(&str, &str)] = match service {
        // These write their profiles as claims.
        Service::Auth0 | Service::Gitlab | Service::Salesforce => {
            return profile.as_object().cloned().map(with_number).unwrap_or_default();
        }
        Service::Amazon => {
            // That the postal code is told as the time zone is part of the contract.
            &[("sub", "/user_id"), ("name", "/name"), ("email", "/email"), ("zoneinfo", "/postal_code")]
        }
        Service::Dingtalk => {
            &[("sub", "/openId"), ("name", "/nick"), ("nickname", "/nick"), ("picture", "/avatarUrl"), ("email", "/email")]
        }
        Service::Discord => &[
            ("sub", "/id"),
            ("name", "/username"),
            ("nickname", "/username"),
            ("preferred_username", "/username"),
            ("email", "/email"),
            ("email_verified", "/verified"),
            ("locale", "/locale"),
        ],
        Service::Facebook => &[
            ("sub", "/id"),
            ("name", "/name"),
            ("given_name", "/first_name"),
            ("family_name", "/last_name"),
            ("last_name", "/last_name"),
            ("middle_name", "/middle_name"),
            ("nickname", "/name"),
            ("preferred_username", "/name"),
            ("picture", "/picture/data/url"),
            ("email", "/email"),
            ("gender", "/gender"),
            ("birthdate", "/birthday"),
        ],
        Service::Github | Service::GithubApp => &[
            ("sub", "/id"),
            ("name", "/name"),
            ("nickname", "/login"),
            ("preferred_username", "/login"),
            ("profile", "/html_url"),
            ("picture", "/avatar_url"),
            ("website", "/blog"),
            ("email", "/email"),
            ("email_verified", "/email_verified"),
            ("updated_at", "/updated_at"),
        ],
        Service::Lark => &[
            ("sub", "/open_id"),
            ("name", "/name"),
            ("nickname", "/name"),
            ("picture", "/avatar_url"),
            ("email", "/email"),
            ("phone_number", "/mobile"),
        ],
        Service::Linkedin => &[
            ("sub", "/id"),
            ("given_name", "/localizedFirstName"),
            ("family_name", "/localizedLastName"),
            ("last_name", "/localizedLastName"),
            ("email", "/email"),
        ],
        Service::Patreon => &[
            ("sub", "/data/id"),
            ("name", "/data/attributes/full_name"),
            ("given_name", "/data/attributes/first_name"),
            ("family_name", "/data/attributes/last_name"),
            ("last_name", "/data/attributes/last_name"),
            ("profile", "/data/attributes/url"),
            ("picture", "/data/attributes/image_url"),
            ("email", "/data/attributes/email"),
        ],
        Service::Slack => &[
            ("sub", "/user/id"),
            ("name", "/user/name"),
            ("nickname", "/user/name"),
            ("preferred_username", "/user/name"),
            ("email", "/user/email"),
            ("picture", "/user/image_512"),
            ("team", "/team/id"),
        ],
        Service::Spotify => &[
            ("sub", "/id"),
            ("name", "/display_name"),
            ("nickname", "/display_name"),
            ("preferred_username", "/display_name"),
            ("profile", "/external_urls/spotify"),
            ("picture", "/images/0/url"),
            ("email", "/email"),
            ("birthdate", "/birthdate"),
        ],
        Service::Uaepass => &[
            ("sub", "/sub"),
            ("name", "/fullnameEN"),
            ("given_name", "/firstnameEN"),
            ("family_name", "/lastnameEN"),
            ("last_name", "/lastnameEN"),
            ("email", "/email"),
            ("gender", "/gender"),
            ("phone_number", "/mobile"),
            ("acr", "/acr"),
        ],
        Service::Vk => &[
            ("sub", "/response/0/id"),
            ("given_name", "/response/0/first_name"),
            ("nickname", "/response/0/nickname"),
            ("last_name", "/response/0/last_name"),
            ("family_name", "/response/0/last_name"),
            ("picture", "/response/0/photo_200"),
            ("birthdate", "/response/0/bdate"),
        ],
        Service::Yandex => &[
            ("sub", "/id"),
            ("name", "/real_name"),
            ("given_name", "/first_name"),
            ("family_name", "/last_name"),
            ("last_name", "/last_name"),
            ("nickname", "/login"),
            ("preferred_username", "/login"),
            ("email", "/default_email"),
            ("gender", "/sex"),
            ("birthdate", "/birthday"),
        ],
    };
    let mut said: Map<String, Value> =
        pairs.iter().filter_map(|(claim, at)| Some(((*claim).to_owned(), profile.pointer(at)?.clone()))).collect();
    // Ids are numbers here and there; a subject is a text.
    if let Some(sub) = said.get_mut("sub")
        && let Value::Number(number) = sub
    {
        *sub = number.to_string().into();
    }
    // Neither shows an address before its owner has confirmed it.
    if matches!(service, Service::Facebook | Service::Slack) && said.get("email").and_then(Value::as_str).is_some() {
        said.insert("email_verified".to_owned(), true.into());
    }
    match service {
        Service::Discord => {
            if let (Some(id), Some(avatar)) = (text(profile, "/id"), text(profile, "/avatar")) {
                // Pictures that move have names of their own.
                let kind = if avatar.starts_with("a_") { "gif" } else { "png" };
                said.insert("picture".to_owned(), format!("https://cdn.discordapp.com/avatars/{id}/{avatar}.{kind}").into());
            }
            // Older names are told apart by a number.
            if let (Some(name), Some(number)) = (text(profile, "/username"), text(profile, "/discriminator"))
                && number != "0"
            {
                said.insert("name".to_owned(), format!("{name}#{number}").into());
            }
        }
        Service::Linkedin => {
            let parts: Vec<&str> =
                ["/localizedFirstName", "/localizedLastName"].iter().filter_map(|at| text(profile, at)).collect();
            said.insert("name".to_owned(), parts.join(" ").into());
            // The same picture in several sizes: the third, or the largest below it.
            let sizes = profile.pointer("/profilePicture/displayImage~/elements").and_then(Value::as_array);
            let picture = sizes.and_then(|sizes| sizes.iter().take(3).next_back()?.pointer("/identifiers/0/identifier"));
            said.extend(picture.map(|picture| ("picture".to_owned(), picture.clone())));
        }
        Service::Vk => {
            // The address comes with the token.
            if let Some(email) = tokens.answer.get("email") {
                said.insert("email".to_owned(), email.clone());
            }
            let gender = match profile.pointer("/response/0/sex").and_then(Value::as_u64) {
                Some(1) => "female",
                Some(2) => "male",
                _ => "",
            };
            said.insert("gender".to_owned(), gender.into());
        }
        Service::Yandex => {
            let has_none = profile.get("is_avatar_empty") == Some(&Value::Bool(true));
            if let Some(avatar) = text(profile, "/default_avatar_id").filter(|_| !has_none) {
                let picture = format!("https://avatars.yandex.net/get-yapic/{avatar}/islands-200");
                said.insert("picture".to_owned(), picture.into());
            }
        }
        _ => {}
    }
    with_number(said)
}

fn text<'v>(profile: &'v Value, at: &str) -> Option<&'v str> {
    profile.pointer(at).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// Some write the time of the last change as a text.
fn with_number(mut said: Map<String, Value>) -> Map<String, Value> {
    if let Some(time) = said.get("updated_at").and_then(Value::as_str).map(portcullis_model::time::Timestamp::parse) {
        said.insert("updated_at".to_owned(), time.map_or(Value::Null, |t| json!(t.seconds())));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_in_their_own_words() {
        let tokens =
            Tokens { answer: json!({ "email": "v@k.example" }).as_object().cloned().unwrap_or_default(), ..Tokens::default() };
        for (service, profile, claim, value) in [
            (Service::Github, json!({ "id": 583231, "login": "octocat" }), "sub", json!("583231")),
            (Service::Github, json!({ "id": 1, "email": "a@b.example", "email_verified": true }), "email_verified", json!(true)),
            (
                Service::Discord,
                json!({ "id": "8", "avatar": "x" }),
                "picture",
                json!("https://cdn.discordapp.com/avatars/8/x.png"),
            ),
            (Service::Slack, json!({ "user": { "id": "U1" }, "team": { "id": "T1" } }), "team", json!("T1")),
            (Service::Vk, json!({ "response": [{ "id": 7, "sex": 2 }] }), "gender", json!("male")),
            (Service::Vk, json!({ "response": [{ "id": 7 }] }), "email", json!("v@k.example")),
            (Service::Patreon, json!({ "data": { "id": "3", "attributes": { "full_name": "Ada" } } }), "name", json!("Ada")),
            (
                Service::Linkedin,
                json!({ "id": "l", "localizedFirstName": "Ada", "localizedLastName": "B" }),
                "name",
                json!("Ada B"),
            ),
            (Service::Facebook, json!({ "id": "9", "picture": { "data": { "url": "u" } } }), "picture", json!("u")),
            (Service::Auth0, json!({ "sub": "a|1", "updated_at": "2020-01-01T00:00:00Z" }), "updated_at", json!(1_577_836_800)),
            (Service::Salesforce, json!({ "sub": "s", "updated_at": 5 }), "updated_at", json!(5)),
        ] {
            assert_eq!(meaning(service, &profile, &tokens).get(claim), Some(&value), "{service:?} {claim}");
        }
        let nobody = Claims::named(meaning(Service::Github, &json!({ "login": "x" }), &tokens), Map::new());
        assert!(nobody.is_none());
    }
}

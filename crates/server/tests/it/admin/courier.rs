//! Messages as administrators see them.

use portcullis_store::{Changes, outbox};
use serde_json::{Value, json};

use crate::support::{Admin, Answer, Native, TestApp, UI};

const LIST: &str = "/admin/courier/messages";
const HIDDEN: &str = "<redacted-unless-dev-mode>";

/// An application in which so many codes were sent to each of these addresses, a second apart.
async fn app(change: Value, to: &[(&str, usize)]) -> TestApp {
    let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    let mut config = json!({ "selfservice": { "flows": { "verification": verification } } });
    if let (Value::Object(config), Value::Object(change)) = (&mut config, change) {
        config.extend(change);
    }
    let app = TestApp::with(config).await;
    for (to, times) in to {
        let body = json!({ "schema_id": "default", "traits": { "email": to } });
        assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &body).await.status, 201);
        for _ in 0..*times {
            let native = Native::new(&app);
            let form = native.open("verification").await;
            app.wait(1);
            let sent = native.submit(&form, json!({ "method": "code", "email": to })).await;
            assert_eq!(sent.status, 200, "{sent:?}");
        }
    }
    app
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.json().as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

/// The path of a link of an answer.
fn link(answer: &Answer, rel: &str) -> Option<String> {
    let links = answer.header("link").unwrap_or_default().to_owned();
    let found = links.split(',').find(|l| l.contains(&format!("rel=\"{rel}\"")))?.to_owned();
    found.split(['<', '>']).nth(1).map(str::to_owned)
}

#[tokio::test]
async fn messages_are_listed_newest_first_and_filtered() {
    let app = app(json!({}), &[("ada@example.org", 2), ("grace@example.org", 1)]).await;
    let admin = Admin::new(&app);
    let all = admin.get(LIST).await;
    let to: Vec<_> = all.json().as_array().unwrap().iter().map(|m| m["recipient"].clone()).collect();
    assert_eq!(to, ["grace@example.org", "ada@example.org", "ada@example.org"]);
    let first = &all.json()[0];
    for (member, value) in [
        ("status", json!("queued")),
        ("type", json!("email")),
        ("channel", json!("email")),
        ("template_type", json!("verification_code_valid")),
        ("send_count", json!(0)),
    ] {
        assert_eq!(first[member], value, "{member}");
    }
    assert!(first.get("dispatches").is_none());
    for (query, count) in [
        ("recipient=ada%40example.org", 2),
        ("recipient=ada", 0),
        ("status=queued", 3),
        ("status=sent", 0),
        ("status=queued&recipient=grace%40example.org", 1),
        ("status=&recipient=", 3),
    ] {
        let answer = admin.get(&format!("{LIST}?{query}")).await;
        assert_eq!((answer.status, ids(&answer).len()), (200, count), "{query}");
    }
    for query in ["status=lost", "status=Queued", "page_token=nonsense", "page_size=many"] {
        assert_eq!(admin.get(&format!("{LIST}?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_keep_the_filter() {
    for secrets in
        [json!({}), json!({ "secrets": { "cookie": ["a-cookie-secret-of-tests"], "pagination": ["a-secret-of-pages"] } })]
    {
        let app = app(secrets, &[("ada@example.org", 5), ("grace@example.org", 4), ("mary@example.org", 4)]).await;
        let admin = Admin::new(&app);
        assert_eq!(ids(&admin.get(LIST).await).len(), 10, "without a size");
        let (mut seen, mut next) = (Vec::new(), Some(format!("{LIST}?page_size=2&recipient=ada%40example.org")));
        while let Some(path) = next.take() {
            assert!(seen.len() < 6, "the links do not end");
            let answer = admin.get(&path).await;
            assert!(link(&answer, "first").is_some_and(|l| !l.contains("page_token")));
            seen.extend(ids(&answer));
            next = link(&answer, "next");
        }
        let whole = ids(&admin.get(&format!("{LIST}?recipient=ada%40example.org")).await);
        assert_eq!((seen.len(), seen), (5, whole));
    }
}

#[tokio::test]
async fn one_message_comes_with_its_attempts() {
    let app = app(json!({}), &[("ada@example.org", 1)]).await;
    let admin = Admin::new(&app);
    let id = ids(&admin.get(LIST).await).remove(0);
    let (worker, now) = (uuid::Uuid::from_u128(1), app.app.clock.now());
    let claimed = outbox::claim(&app.app.store, worker, now, std::time::Duration::from_secs(60), 1).await.unwrap();
    let mut changes = Changes::new();
    outbox::failed(&mut changes, claimed[0].id, worker, None, "the mail server answered with 550", now);
    app.app.store.commit(changes).await.unwrap();
    let answer = admin.get(&format!("{LIST}/{id}")).await;
    let message = answer.json();
    assert_eq!((&message["status"], &message["send_count"]), (&json!("abandoned"), &json!(1)));
    let attempt = &message["dispatches"][0];
    assert_eq!((&attempt["status"], &attempt["message_id"]), (&json!("failed"), &json!(id)));
    assert_eq!(
        (&attempt["error"]["code"], &attempt["error"]["reason"]),
        (&json!(500), &json!("the mail server answered with 550"))
    );
    for (id, status) in [("6a2b0c1e-2222-4333-8444-555566667777", 404), ("nope", 400), ("", 404)] {
        assert_eq!(admin.get(&format!("{LIST}/{id}")).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn words_are_shown_only_in_development_or_where_secrets_leak_anyway() {
    for (change, shown) in [
        (json!({}), true),
        (json!({ "dev": false, "hashers": null }), false),
        (json!({ "dev": false, "hashers": null, "log": { "leak_sensitive_values": true } }), true),
    ] {
        let app = app(change.clone(), &[("ada@example.org", 1)]).await;
        let code = app.newest_mail("ada@example.org").await.code();
        let admin = Admin::new(&app);
        let id = ids(&admin.get(LIST).await).remove(0);
        for message in [admin.get(LIST).await.json()[0].clone(), admin.get(&format!("{LIST}/{id}")).await.json()] {
            let (subject, body) = (message["subject"].as_str().unwrap(), message["body"].as_str().unwrap());
            if shown {
                assert!(body.contains(&code) && subject == "Please verify your address", "{change}: {message}");
            } else {
                assert_eq!((subject, body), (HIDDEN, HIDDEN), "{change}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_as_a_message_of_its_own() {
    let app = app(json!({}), &[("ada@example.org", 1)]).await;
    let admin = Admin::new(&app);
    let id = ids(&admin.get(LIST).await).remove(0);
    let path = format!("{LIST}/{id}/resend");
    let waits = admin.send("POST", &path, &json!({})).await;
    assert_eq!(waits.status, 409, "it waits already");
    let (worker, now) = (uuid::Uuid::from_u128(1), app.app.clock.now());
    let lease = std::time::Duration::from_secs(60);
    let claimed = outbox::claim(&app.app.store, worker, now, lease, 1).await.unwrap();
    assert_eq!(admin.send("POST", &path, &json!({})).await.status, 409, "it is on its way");
    let mut changes = Changes::new();
    outbox::failed(&mut changes, claimed[0].id, worker, None, "the mail server answered with 550", now);
    app.app.store.commit(changes).await.unwrap();
    let code = app.newest_mail("ada@example.org").await.code();
    app.wait(1);
    let again = admin.send("POST", &path, &json!({})).await;
    let new = again.json();
    assert_eq!((again.status, &new["status"], &new["send_count"]), (201, &json!("queued"), &json!(0)), "{again:?}");
    assert_eq!((&new["recipient"], new["dispatches"].as_array().map(Vec::len)), (&json!("ada@example.org"), Some(0)));
    assert!(new["id"] != json!(id) && new["body"].as_str().unwrap().contains(&code), "the same words: {new}");
    let old = admin.get(&format!("{LIST}/{id}")).await.json();
    assert_eq!((&old["status"], old["dispatches"].as_array().map(Vec::len)), (&json!("abandoned"), Some(1)), "its history stays");
    let claimed = outbox::claim(&app.app.store, worker, app.app.clock.now(), lease, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|m| m.id.to_string()).collect::<Vec<_>>(), [new["id"].as_str().unwrap()]);
    for (id, status) in [("6a2b0c1e-2222-4333-8444-555566667777", 404), ("nope", 400)] {
        assert_eq!(admin.send("POST", &format!("{LIST}/{id}/resend"), &json!({})).await.status, status, "{id}");
    }
}

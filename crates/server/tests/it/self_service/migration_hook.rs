//! Passwords that another system knows: it is asked once, and only about accounts that say so.

use serde_json::{Value, json};

use crate::support::{Admin, Manner, Native, Person, Spa, Target, TestApp, jsonnet, together};

fn ada() -> Person {
    Person::named("ada")
}

fn asking(target: &Target, more: Value) -> Value {
    let mut config = json!({ "url": format!("{}/migrate", target.url), "headers": { "X-From": "us" } });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "selfservice": { "methods": { "password": { "config": { "migrate_hook": { "enabled": true, "config": config } } } } },
        "clients": { "web_hook": { "timeout": "400ms" } },
    })
}

async fn import(app: &TestApp, who: &Person) {
    let account = json!({
        "schema_id": "default", "traits": { "email": who.email },
        "credentials": { "password": { "config": { "use_password_migration_hook": true } } },
    });
    assert_eq!(Admin::new(app).send("POST", "/admin/identities", &account).await.status, 201);
}

#[tokio::test]
async fn a_password_that_the_other_system_knows_is_kept_here_from_then_on() {
    let target = Target::start().await;
    let app = TestApp::with(asking(&target, json!({}))).await;
    import(&app, &ada()).await;
    target.says("/migrate", 200, &json!({ "status": "password_match" }));
    Native::new(&app).sign_in(&ada()).await;
    let asked = target.sent("/migrate").remove(0);
    assert_eq!(asked.json(), json!({ "identifier": ada().email, "password": ada().password }));
    assert_eq!(asked.headers["x-from"], "us");
    target.treat("/migrate", Manner::Drops);
    Native::new(&app).sign_in(&ada()).await;
    assert_eq!(Native::new(&app).try_sign_in(&ada().with_password("wrong")).await.told(), [4_000_006]);
    assert_eq!(target.order().len(), 1, "it is not asked again");
}

#[tokio::test]
async fn anything_but_yes_signs_nobody_in() {
    let target = Target::start().await;
    let app = TestApp::with(asking(&target, json!({}))).await;
    import(&app, &ada()).await;
    for (manner, status) in [
        (Manner::Says(403, String::new()), 400),
        (Manner::Says(200, String::new()), 400),
        (Manner::Says(200, r#"{"status":"no"}"#.into()), 400),
        (Manner::Says(200, r#"["password_match"]"#.into()), 400),
        (Manner::Says(404, String::new()), 502),
        (Manner::Says(500, String::new()), 502),
        (Manner::Hangs, 502),
        (Manner::Drops, 502),
        (Manner::Babbles, 502),
        (Manner::Floods, 502),
    ] {
        target.treat("/migrate", manner.clone());
        let answer = Native::new(&app).try_sign_in(&ada()).await;
        assert_eq!(answer.status, status, "{manner:?}: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&ada().password), "{answer:?}");
    }
    let calls = target.order().len();
    assert_eq!(Native::new(&app).try_sign_in(&Person::named("nobody")).await.told(), [4_000_006]);
    assert_eq!(target.order().len(), calls, "nobody is asked about strangers");
    let app = TestApp::new().await;
    import(&app, &ada()).await;
    let answer = Native::new(&app).try_sign_in(&ada()).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (500, Some("invalid_configuration")));
}

#[tokio::test]
async fn wrong_guesses_at_the_other_system_are_counted() {
    let target = Target::start().await;
    let app = TestApp::with(asking(&target, json!({}))).await;
    import(&app, &ada()).await;
    target.says("/migrate", 403, &json!({}));
    for _ in 0..15 {
        Native::new(&app).try_sign_in(&ada()).await;
    }
    assert_eq!(target.order().len(), 10, "then it is left alone");
}

#[tokio::test]
async fn a_template_may_say_what_is_asked() {
    let target = Target::start().await;
    let body = jsonnet(
        "function(ctx) { who: ctx.identifier, secret: ctx.password, of: ctx.identity.traits.email, flow: ctx.flow.type }",
    );
    let app = TestApp::with(asking(&target, json!({ "body": body }))).await;
    import(&app, &ada()).await;
    target.says("/migrate", 200, &json!({ "status": "password_match" }));
    Native::new(&app).sign_in(&ada()).await;
    let wanted = json!({ "who": ada().email, "secret": ada().password, "of": ada().email, "flow": "api" });
    assert_eq!(target.sent("/migrate")[0].json(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_sign_ins_at_once_are_both_right() {
    let target = Target::start().await;
    let app = TestApp::with(asking(&target, json!({}))).await;
    import(&app, &ada()).await;
    target.says("/migrate", 200, &json!({ "status": "password_match" }));
    let answers = together(2, |_| async { Native::new(&app).try_sign_in(&ada()).await.status });
    assert_eq!(answers, [200, 200]);
    target.treat("/migrate", Manner::Drops);
    Native::new(&app).sign_in(&ada()).await;
}

#[tokio::test]
async fn an_identifier_first_form_offers_the_password() {
    let target = Target::start().await;
    let mut change = asking(&target, json!({}));
    change["selfservice"]["flows"] = json!({ "login": { "style": "identifier_first" } });
    let app = TestApp::with(change).await;
    import(&app, &ada()).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("login").await;
    let answer = spa.submit(&form, json!({ "method": "identifier_first", "identifier": ada().email })).await;
    assert!(answer.nodes().contains(&"password".to_owned()), "{answer:?}");
}

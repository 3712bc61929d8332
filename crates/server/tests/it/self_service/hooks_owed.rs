//! Calls of web hooks that are owed: they are made whatever happens to the process, again where it may help, and again when
//! administrators ask for it.

use portcullis_core::hook;
use serde_json::{Value, json};

use crate::support::{Admin, Manner, Native, Person, Spa, Target, TestApp, everywhere, with_schema};

fn telling(target: &Target) -> Value {
    let told = target.hook("/told", json!({ "id": "crm", "response": { "ignore": true } }));
    json!({ "selfservice": { "flows": {
        "login": { "before": { "hooks": [target.hook("/begun", json!({ "response": { "ignore": true } }))] },
                   "after": { "password": { "hooks": [told] } } },
        "registration": { "after": { "password": { "hooks": [{ "hook": "session" }, told] } } },
        "settings": { "after": { "hooks": [told] } },
    } }, "clients": { "web_hook": { "timeout": "400ms" } } })
}

/// Makes what is due until nothing is owed any more: made, or given up.
async fn until_nothing_is_owed(app: &TestApp) {
    for _ in 0..500 {
        app.wait(20 * 60);
        hook::deliver_due(&app.app).await.unwrap();
        if calls(app).await.iter().all(|call| call["status"] == "abandoned") {
            return;
        }
    }
    panic!("still owed: {:?}", calls(app).await);
}

async fn calls(app: &TestApp) -> Vec<Value> {
    Admin::new(app).get("/admin/hooks/calls").await.json().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_hook_that_is_only_told() {
    let target = Target::start().await;
    everywhere(telling(&target), async |app| {
        target.forget();
        for path in ["/told", "/begun"] {
            target.treat(path, Manner::Hangs);
        }
        let mut spa = Spa::new(app);
        spa.sign_up(&Person::named("ada")).await;
        spa.sign_out().await;
        app.wait(1);
        let form = spa.open("login").await;
        app.wait(1);
        let ada = Person::named("ada");
        let fields = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
        assert_eq!(spa.submit(&form, fields).await.status, 200);
        assert!(target.order().is_empty());
        let waiting: Vec<_> = calls(app).await.iter().rev().map(|call| call["place"].as_str().unwrap().to_owned()).collect();
        assert_eq!(waiting, ["registration.after.password", "login.before", "login.after.password"]);
        for path in ["/told", "/begun"] {
            target.says(path, 200, &json!({}));
        }
        assert_eq!(hook::deliver_due(&app.app).await, Ok(3));
        assert_eq!(target.order(), ["/told", "/begun", "/told"], "in their order");
        assert_eq!(target.sent("/told")[0].json()["who"], "ada@example.org");
        assert!(calls(app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_is_told_to_nobody() {
    let target = Target::start().await;
    let told = target.hook("/told", json!({ "response": { "ignore": true } }));
    let hooks = json!([told, target.hook("/ask", json!({ "response": { "parse": true } }))]);
    let app =
        TestApp::with(json!({ "selfservice": { "flows": { "login": { "after": { "password": { "hooks": hooks } } } } } })).await;
    Native::new(&app).sign_up(&Person::named("ada")).await;
    let refusal = json!({ "messages": [{ "messages": [{ "id": 7, "text": "no", "type": "error" }] }] });
    target.says("/ask", 403, &refusal);
    assert_eq!(Native::new(&app).try_sign_in(&Person::named("ada")).await.status, 400);
    assert_eq!(hook::deliver_due(&app.app).await, Ok(0));
    target.says("/ask", 200, &json!({}));
    Native::new(&app).sign_in(&Person::named("ada")).await;
    assert_eq!(hook::deliver_due(&app.app).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_service_is_tried_again_until_it_is_given_up_and_then_by_hand() {
    let target = Target::start().await;
    everywhere(telling(&target), async |app| {
        target.forget();
        target.treat("/told", Manner::Says(418, "secret".into()));
        Native::new(app).sign_up(&Person::named("ada")).await;
        assert_eq!(hook::deliver_due(&app.app).await, Ok(1));
        let call = calls(app).await.remove(0);
        assert_eq!((&call["status"], &call["tries"], &call["hook_id"]), (&json!("queued"), &json!(1), &json!("crm")));
        assert_eq!(call["error"], "the service answered with status 418");
        assert_eq!(hook::deliver_due(&app.app).await, Ok(0), "not at once");
        for _ in 0..20 {
            app.wait(20 * 60);
            hook::deliver_due(&app.app).await.unwrap();
        }
        assert_eq!(target.sent("/told").len(), 10);
        let ids: std::collections::BTreeSet<_> =
            target.sent("/told").iter().map(|sent| sent.headers["ory-webhook-trigger-id"].clone()).collect();
        assert_eq!(ids.len(), 1, "receivers know it again");

        let admin = Admin::new(app);
        let dead = admin.get("/admin/hooks/calls?status=abandoned").await.json();
        let id = dead[0]["id"].as_str().unwrap().to_owned();
        assert_eq!((dead.as_array().unwrap().len(), &dead[0]["next_try_at"]), (1, &Value::Null));
        assert!(!dead.to_string().contains("ada@example.org"), "what was to be told is not shown");
        assert_eq!(admin.get(&format!("/admin/hooks/calls/{id}")).await.json()["tries"], 10);
        target.says("/told", 200, &json!({}));
        let again = admin.send("POST", &format!("/admin/hooks/calls/{id}/replay"), &json!({})).await;
        assert_eq!((again.status, &again.json()["status"]), (200, &json!("queued")));
        assert_eq!(
            admin.send("POST", &format!("/admin/hooks/calls/{id}/replay"), &json!({})).await.status,
            409,
            "it waits already"
        );
        assert_eq!(hook::deliver_due(&app.app).await, Ok(1));
        assert!(calls(app).await.is_empty());
        let gone = [("GET", ""), ("POST", "/replay"), ("DELETE", "")];
        for (method, rest) in gone {
            assert_eq!(admin.send(method, &format!("/admin/hooks/calls/{id}{rest}"), &json!({})).await.status, 404, "{method}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_together_or_thrown_away() {
    let target = Target::start().await;
    everywhere(telling(&target), async |app| {
        target.forget();
        target.treat("/told", Manner::Drops);
        for name in ["ada", "bob", "cyd"] {
            Native::new(app).sign_up(&Person::named(name)).await;
        }
        let admin = Admin::new(app);
        let first = calls(app).await[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(
            admin.send("DELETE", &format!("/admin/hooks/calls/{first}"), &json!({})).await.status,
            409,
            "it is still owed"
        );
        until_nothing_is_owed(app).await;
        assert_eq!(admin.send("DELETE", &format!("/admin/hooks/calls/{first}"), &json!({})).await.status, 204);
        target.says("/told", 200, &json!({}));
        // The service did not answer, and is left alone for a while.
        app.wait(20);
        assert_eq!(admin.send("POST", "/admin/hooks/replay", &json!({})).await.status, 204);
        assert_eq!(hook::deliver_due(&app.app).await, Ok(2));
        let page = admin.get("/admin/hooks/calls?page_size=1").await;
        assert_eq!((page.status, page.json()), (200, json!([])));
        assert_eq!(admin.get("/admin/hooks/calls?status=lost").await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_corrected_hook_counts_for_what_waits() {
    let target = Target::start().await;
    let wrong = {
        let mut change = telling(&target);
        let hooks = &mut change["selfservice"]["flows"]["registration"]["after"]["password"]["hooks"];
        hooks[1]["config"]["url"] = json!("http://127.0.0.1:9/nobody");
        change
    };
    let app = TestApp::with(wrong).await;
    Native::new(&app).sign_up(&Person::named("ada")).await;
    hook::deliver_due(&app.app).await.unwrap();
    let app = app.reconfigured(telling(&target)).await;
    app.wait(60);
    assert_eq!(hook::deliver_due(&app.app).await, Ok(1));
    assert_eq!(target.order(), ["/told"]);
}

/// The process ends at each moment: everything that was answered is told after the restart, also to hooks that were awaited.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everything_that_is_owed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    restart(&format!("sqlite://{}", folder.path().join("hooks.sqlite").display())).await;
    with_schema("", restart).await;
}

async fn restart(dsn: &str) {
    let target = Target::start().await;
    let awaited = {
        let mut change = telling(&target);
        let hooks = &mut change["selfservice"]["flows"]["registration"]["after"]["password"]["hooks"];
        hooks.as_array_mut().unwrap().push(target.hook("/awaited", json!({})));
        change["clients"]["web_hook"]["timeout"] = json!("60s");
        change
    };
    let app = TestApp::at(dsn, awaited.clone()).await;
    target.treat("/awaited", Manner::Hangs);
    let ada = Person::named("ada");
    {
        // The process ends while the client waits for the hook.
        let mut app = Native::new(&app);
        let sign_up = app.sign_up(&ada);
        assert!(tokio::time::timeout(std::time::Duration::from_secs(2), sign_up).await.is_err());
    }
    assert_eq!(target.order(), ["/awaited"]);
    app.app.store.close().await.unwrap();

    target.says("/awaited", 200, &json!({}));
    let app = TestApp::started_again_at(dsn, app.clock.clone(), awaited, 1).await;
    Native::new(&app).sign_in(&ada).await;
    hook::deliver_due(&app.app).await.unwrap();
    assert_eq!(target.sent("/told").len(), 2, "of the sign-up and the sign-in");
    assert_eq!(target.sent("/awaited").len(), 1, "it may still be on its way");
    app.wait(10 * 60);
    hook::deliver_due(&app.app).await.unwrap();
    let awaited = target.sent("/awaited");
    assert_eq!(awaited.len(), 2);
    assert_eq!(awaited[0].headers["ory-webhook-trigger-id"], awaited[1].headers["ory-webhook-trigger-id"]);
    assert_eq!(awaited[0].body, awaited[1].body);
    assert!(calls(&app).await.is_empty());
    app.app.store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_workers_make_each_call_once() {
    let target = Target::start().await;
    everywhere(telling(&target), async |app| {
        let before = target.order().len();
        for number in 0..12 {
            Native::new(app).sign_up(&Person::named(&format!("person{number}"))).await;
        }
        let made = tokio::join!(hook::deliver_due(&app.app), hook::deliver_due(&app.app), hook::deliver_due(&app.app));
        assert_eq!(made.0.unwrap() + made.1.unwrap() + made.2.unwrap(), 12);
        assert_eq!(target.order().len() - before, 12);
    })
    .await;
}

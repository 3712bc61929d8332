//! Changes by several at once: versions, and what holds without them.

use serde_json::{Value, json};

use super::person;
use crate::support::{Admin, Native, Person, everywhere, together};

fn add(path: &str, value: &str) -> Value {
    json!([{ "op": "add", "path": path, "value": value }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_for_another_version_is_refused() {
    everywhere(json!({}), async |app| {
        let admin = Admin::new(app);
        let one = format!("/admin/identities/{}", person(&admin, "ada@example.org").await);
        let read = admin.get(&one).await;
        let first = read.header("etag").unwrap();
        assert_eq!(admin.get(&one).await.header("etag").as_ref(), Some(&first), "reading changes nothing");

        let changed = admin.send_for(&first, "PATCH", &one, &add("/metadata_public", "a")).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let second = changed.header("etag").unwrap();
        assert_ne!(first, second);
        assert_eq!(admin.get(&one).await.header("etag").as_ref(), Some(&second), "the answer tells the new version");

        let body = json!({ "schema_id": "default", "traits": { "email": "ada@example.org" }, "metadata_public": "b" });
        for (method, url, body) in [
            ("PATCH", one.clone(), add("/metadata_public", "c")),
            ("PUT", one.clone(), body.clone()),
            ("DELETE", one.clone(), Value::Null),
            ("DELETE", format!("{one}/credentials/totp"), Value::Null),
        ] {
            for version in [first.as_str(), "\"x\"", &format!("W/{second}"), ""] {
                let refused = admin.send_for(version, method, &url, &body).await;
                assert_eq!(refused.status, 412, "{method} {version}: {refused:?}");
                assert_eq!(refused.json()["error"]["code"], 412);
            }
        }
        assert_eq!(admin.get(&one).await.json()["metadata_public"], "a");
        let replaced = admin.send_for(&format!("\"x\", {second}"), "PUT", &one, &body).await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        let with_password = json!({
            "schema_id": "default",
            "traits": { "email": "ada@example.org" },
            "credentials": { "password": { "config": { "password": "another-secret-of-mine" } } },
        });
        let before = admin.get(&one).await.header("etag").unwrap();
        let other = admin.send("PUT", &one, &with_password).await.header("etag").unwrap();
        assert_ne!(before, other, "another password is another version");
        assert_eq!(admin.get(&one).await.header("etag"), Some(other.clone()));
        assert_eq!(admin.send_for("*", "PATCH", &one, &json!([])).await.status, 200);
        assert_eq!(admin.send_for(&other, "DELETE", &one, &Value::Null).await.status, 204);
        assert_eq!(admin.send_for(&other, "DELETE", &one, &Value::Null).await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_for_one_version_one_holds() {
    everywhere(json!({}), async |app| {
        let admin = Admin::new(app);
        let one = format!("/admin/identities/{}", person(&admin, "ada@example.org").await);
        let version = admin.get(&one).await.header("etag").unwrap();
        let answers = together(16, |n| {
            let (one, version) = (one.clone(), version.clone());
            async move { Admin::new(app).send_for(&version, "PATCH", &one, &add("/metadata_public", &n.to_string())).await }
        });
        let held: Vec<usize> = (0..16).filter(|n| answers[*n].status == 200).collect();
        assert_eq!(held.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|a| matches!(a.status, 200 | 412)), "{answers:?}");
        assert_eq!(admin.get(&one).await.json()["metadata_public"], held[0].to_string());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_version_no_answered_change_of_another_member_is_undone() {
    everywhere(json!({}), async |app| {
        let admin = Admin::new(app);
        let one = format!("/admin/identities/{}", person(&admin, "ada@example.org").await);
        admin.send("PATCH", &one, &json!([{ "op": "add", "path": "/metadata_public", "value": {} }])).await;
        for round in 0..6 {
            let answers = together(4, |n| {
                let one = one.clone();
                async move {
                    let admin = Admin::new(app);
                    let text = format!("{round}");
                    match n {
                        0 => admin.send("PATCH", &one, &add("/metadata_public/a", &text)).await,
                        1 => admin.send("PATCH", &one, &add("/metadata_admin", &text)).await,
                        2 => {
                            let name = json!([{ "op": "add", "path": "/traits/name", "value": { "first": text } }]);
                            admin.send("PATCH", &one, &name).await
                        }
                        _ => admin.send("PATCH", &one, &json!([{ "op": "replace", "path": "/state", "value": if round % 2 == 0 { "inactive" } else { "active" } }])).await,
                    }
                }
            });
            let now = admin.get(&one).await.json();
            let text = json!(format!("{round}"));
            let wanted = [
                now["metadata_public"]["a"] == text,
                now["metadata_admin"] == text,
                now["traits"]["name"]["first"] == text,
                now["state"] == if round % 2 == 0 { "inactive" } else { "active" },
            ];
            for (answer, is_there) in answers.iter().zip(wanted) {
                assert!(answer.status != 200 || is_there, "round {round}: {answer:?}: {now}");
            }
            assert!(answers.iter().any(|a| a.status == 200));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_a_person_who_change_an_account_at_once_undo_nothing_of_each_other() {
    everywhere(json!({}), async |app| {
        let admin = Admin::new(app);
        let mut who = Person::named("ada");
        let one = format!("/admin/identities/{}", person(&admin, &who.email).await);
        who.password = "a-secret-of-mine".to_owned();
        for round in 0..6_u32 {
            let mut native = Native::new(app);
            native.sign_in(&who).await;
            let (native, form) = (&native, &native.open("settings").await);
            let password = format!("secret-number-{round}-of-mine");
            let organization = uuid::Uuid::from_u128(u128::from(round) + 1).to_string();
            let text = format!("{round}");
            let replaces = round % 2 == 0;
            let email = &who.email;
            let answers = together(3, |n| {
                let (one, text, password, organization) = (one.clone(), text.clone(), password.clone(), organization.clone());
                async move {
                    let admin = Admin::new(app);
                    match n {
                        // What a PUT does not name (the organization, credentials) stays as it is by then.
                        0 if replaces => {
                            let body = json!({ "traits": { "email": email }, "metadata_public": text });
                            admin.send("PUT", &one, &body).await
                        }
                        0 => admin.send("PATCH", &one, &add("/metadata_public", &text)).await,
                        1 => admin.send("PATCH", &one, &add("/organization_id", &organization)).await,
                        _ if replaces => native.submit(form, json!({ "method": "password", "password": password })).await,
                        _ => {
                            let traits = json!({ "email": email, "name": { "first": text } });
                            native.submit(form, json!({ "method": "profile", "traits": traits })).await
                        }
                    }
                }
            });
            let now = admin.get(&one).await.json();
            if replaces && answers[2].status == 200 {
                who.password = password;
            }
            let signs_in = Native::new(app).try_sign_in(&who).await.status == 200;
            let wanted = [
                now["metadata_public"] == json!(text),
                now["organization_id"] == json!(organization),
                signs_in && (replaces || now["traits"]["name"]["first"] == json!(text)),
            ];
            for (answer, is_there) in answers.iter().zip(wanted) {
                assert!(answer.status != 200 || is_there, "round {round}: {answer:?}: {now}");
            }
            assert!(signs_in && answers.iter().any(|a| a.status == 200), "round {round}: {answers:?}");
        }
    })
    .await;
}

//! Messages that waited to be sent there: left behind, or taken over once.

use portcullis_core::kratos::Extent;
use serde_json::json;

use super::{move_as_far, move_over};
use crate::support::{Admin, OldServer, Release, TestApp, everywhere, with_schema};

/// Shortly before the tests' clock begins.
const TODAY: &str = "2027-01-15 07:00:00";

fn fill(old: &mut OldServer) {
    old.person(1, "ada@example.org");
    let code = r#"{"to": "ada@example.org", "recovery_code": "314159", "expires_in_minutes": 60, "identity": {"traits": {"email": "ada@example.org", "name": "Köln"}}, "request_url": "https://id.example.org/x", "transient_payload": {}}"#;
    old.mail(1, 1, "recovery_code_valid", code, TODAY);
    let text = r#"{"to": "+41791234567", "login_code": "271828", "identity": {}, "request_url": "https://id.example.org/x", "transient_payload": {}}"#;
    old.mail(2, 3, "login_code_valid", text, TODAY);
    // Sent, given up, of a kind that nobody knows, without a word, and from long ago.
    old.mail(1, 2, "recovery_code_valid", code, TODAY);
    old.mail(1, 4, "recovery_code_valid", code, TODAY);
    old.mail(1, 1, "stub", code, TODAY);
    old.mail(1, 1, "recovery_code_valid", "nothing", TODAY);
    old.mail(1, 1, "recovery_code_valid", code, "2026-12-01 00:00:00");
}

async fn check(app: &TestApp, from: &str) {
    let without = move_over(app, from).await;
    assert_eq!((without.messages_left, without.messages), (5, 0), "{without:?}");
    assert!(app.mails().await.is_empty());
    let report = move_as_far(app, from, Extent::PeopleAndMessages).await;
    assert_eq!((report.messages, report.messages_already_here, report.messages_left), (2, 0, 0), "{report:?}");
    let not_taken: Vec<(&str, u64)> = report.messages_not_taken.iter().map(|(why, group)| (why.as_str(), group.count)).collect();
    let expected = [
        ("it is too old: nobody waits for it any more", 1),
        ("its template is not known here", 1),
        ("what it says cannot be read", 1),
    ];
    assert_eq!(not_taken, expected, "{report:?}");
    assert!(report.not_taken.is_empty(), "messages are no identities: {report:?}");

    let listed = Admin::new(app).get("/admin/courier/messages").await.json();
    let shown: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|m| json!([m["channel"], m["template_type"], m["status"], m["created_at"]]))
        .collect();
    assert_eq!(shown.len(), 2, "{listed}");
    for wanted in [
        json!(["email", "recovery_code_valid", "queued", "2027-01-15T07:00:00Z"]),
        json!(["sms", "login_code_valid", "queued", "2027-01-15T07:00:00Z"]),
    ] {
        assert!(shown.contains(&wanted), "{wanted}: {listed}");
    }
    let mail = app.newest_mail("ada@example.org").await;
    assert!(["314159", "271828"].contains(&mail.code().as_str()));
    let words = listed.as_array().unwrap().iter().find(|m| m["channel"] == "email").unwrap();
    assert!(words["body"].as_str().unwrap().contains("314159"), "it is written anew, of what it said: {words}");

    let again = move_as_far(app, from, Extent::PeopleAndMessages).await;
    assert_eq!((again.messages, again.messages_already_here), (0, 2), "{again:?}");
    assert_eq!(app.mails().await.len(), 2);
}

#[tokio::test]
async fn messages_come_once_if_they_are_asked_for() {
    for release in [Release::Old, Release::New] {
        let folder = tempfile::tempdir().unwrap();
        let mut old = OldServer::in_file(release);
        fill(&mut old);
        let from = old.write(&folder.path().join("kratos.sqlite"));
        everywhere(json!({}), async |app| check(app, &from).await).await;
        let mut old = OldServer::on_server(release);
        fill(&mut old);
        with_schema(&old.script(), async |from| check(&TestApp::new().await, from).await).await;
    }
}

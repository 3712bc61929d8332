//! The official Rust client drives the admin API of a server: `portcullis-client-tests ADMIN_URL PUBLIC_URL`.
//!
//! Every endpoint that the client has for administrators is called. Every answer must fit the client's models, which refuse what does not. It ends with status 1 at the first surprise.

use ory_kratos_client::apis::configuration::Configuration;
use ory_kratos_client::apis::{Error, courier_api, identity_api as api, metadata_api};
use ory_kratos_client::models::{
    CourierMessageStatus, CreateIdentityBody, CreateRecoveryCodeForIdentityBody, CreateRecoveryLinkForIdentityBody, IdentityPatch,
    IdentityWithCredentials, IdentityWithCredentialsPassword, IdentityWithCredentialsPasswordConfig, JsonPatch,
    PatchIdentitiesBody, Session, UpdateIdentityBody, update_identity_body,
};
use serde_json::json;

fn body(email: &str) -> CreateIdentityBody {
    CreateIdentityBody::new("default".to_owned(), json!({ "email": email, "name": {} }))
}

/// The status of a refusal.
fn status<T: std::fmt::Debug>(error: Error<T>) -> u16 {
    match error {
        Error::ResponseError(answer) => answer.status.as_u16(),
        other => panic!("no answer: {other}"),
    }
}

/// Begins a flow as an app does and submits it. The client's own models of forms cannot be read by anybody's answers: they
/// want the type of a node twice.
async fn submit(public: &Configuration, kind: &str, body: serde_json::Value) -> serde_json::Value {
    let flow = public.client.get(format!("{}/self-service/{kind}/api", public.base_path)).send().await.expect("a flow begins");
    let flow: serde_json::Value = serde_json::from_str(&flow.text().await.expect("it is told")).expect("in JSON");
    let action = flow["ui"]["action"].as_str().unwrap_or_else(|| panic!("{kind}: {flow}"));
    let request = public.client.post(action).header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.expect("it is answered");
    assert_eq!(answer.status().as_u16(), 200, "{kind}");
    serde_json::from_str(&answer.text().await.expect("it is told")).expect("in JSON")
}

/// Signs in; the session.
async fn sign_in(public: &Configuration, email: &str) -> Session {
    let body = json!({ "method": "password", "identifier": email, "password": "a-secret-of-a-crab" });
    serde_json::from_value(submit(public, "login", body).await["session"].take()).expect("it fits the client's model")
}

/// Sessions: shown, extended, ended, removed.
async fn sessions(to: &Configuration, public: &Configuration, id: &str, email: &str) {
    let (one, two) = (sign_in(public, email).await, sign_in(public, email).await);
    let expand = || Some(vec!["identity".to_owned(), "devices".to_owned()]);
    let shown = api::get_session(to, &one.id, expand()).await.expect("a session is shown");
    assert_eq!(shown.identity.map(|who| who.id).as_deref(), Some(id));
    assert_eq!(shown.devices.map(|all| all.len()), Some(1));
    let extended = api::extend_session(to, &one.id).await.expect("it is extended");
    assert_eq!(extended.id, one.id);
    let all = api::list_sessions(to, Some(10), None, Some(true), expand()).await.expect("all are listed");
    assert_eq!(all.len(), 2);
    api::disable_session(to, &one.id).await.expect("it is ended");
    let over = api::list_identity_sessions(to, id, None, None, None, None, Some(false)).await.expect("what is over is listed");
    assert_eq!(over.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [one.id.as_str()]);
    api::delete_identity_sessions(to, id).await.expect("all are removed");
    assert_eq!(status(api::get_session(to, &two.id, None).await.expect_err("it is gone")), 404);
    assert_eq!(status(api::delete_identity_sessions(to, id).await.expect_err("there are none")), 404);
}

/// Recovery by an administrator, and the message of a recovery by the person.
async fn recovery(to: &Configuration, public: &Configuration, id: &str, email: &str) {
    let mut ask = CreateRecoveryCodeForIdentityBody::new(id.to_owned());
    ask.expires_in = Some("10m".to_owned());
    let code = api::create_recovery_code_for_identity(to, Some(ask)).await.expect("a code is made");
    assert!(code.recovery_code.len() == 6 && code.recovery_link.contains("flow="), "{code:?}");
    match api::create_recovery_link_for_identity(to, None, Some(CreateRecoveryLinkForIdentityBody::new(id.to_owned()))).await {
        Ok(link) => assert!(link.recovery_link.contains("token="), "{link:?}"),
        // The method is switched off on a first run.
        Err(error) => assert_eq!(status(error), 404),
    }
    submit(public, "recovery", json!({ "method": "code", "email": email })).await;
    let queued = Some(CourierMessageStatus::Queued);
    let messages = courier_api::list_courier_messages(to, Some(10), None, queued, Some(email)).await.expect("messages are listed");
    assert_eq!(messages.len(), 1);
    let message = courier_api::get_courier_message(to, &messages[0].id).await.expect("one is shown");
    assert_eq!(message.recipient, email);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("the address of the admin port");
    let public = std::env::args().nth(2).expect("the address of the public port");
    let at = |url: &str| Configuration { base_path: url.trim_end_matches('/').to_owned(), ..Configuration::new() };
    let (to, public) = (at(&url), at(&public));

    assert_eq!(metadata_api::is_alive(&to).await.expect("it lives").status, "ok");
    assert_eq!(metadata_api::is_ready(&to).await.expect("it is ready").status, "ok");
    assert!(!metadata_api::get_version(&to).await.expect("it tells its version").version.is_empty());

    let mut create = body("rust@example.org");
    let password = IdentityWithCredentialsPasswordConfig {
        password: Some("a-secret-of-a-crab".to_owned()),
        ..IdentityWithCredentialsPasswordConfig::new()
    };
    create.credentials = Some(Box::new(IdentityWithCredentials {
        password: Some(Box::new(IdentityWithCredentialsPassword { config: Some(Box::new(password)) })),
        ..IdentityWithCredentials::new()
    }));
    create.external_id = Some("crab-1".to_owned());
    let made = api::create_identity(&to, Some(create.clone())).await.expect("an identity is made");
    assert_eq!(made.traits, Some(json!({ "email": "rust@example.org", "name": {} })));
    assert_eq!(status(api::create_identity(&to, Some(create)).await.expect_err("it is taken")), 409);

    let read = api::get_identity(&to, &made.id, Some(vec!["password".to_owned()])).await.expect("it is read");
    let credentials = read.credentials.expect("with credentials");
    let config = credentials.get("password").and_then(|c| c.config.clone()).expect("with their data");
    assert!(json!(config)["hashed_password"].as_str().is_some_and(|hash| hash.starts_with("$2")), "its hash is told");
    let by_external = api::get_identity_by_external_id(&to, "crab-1", None).await.expect("it is found by its external id");
    assert_eq!(by_external.id, made.id);

    sessions(&to, &public, &made.id, "rust@example.org").await;
    recovery(&to, &public, &made.id, "rust@example.org").await;

    let patch = JsonPatch { value: Some(Some(json!("dark"))), ..JsonPatch::new("add".to_owned(), "/metadata_public".to_owned()) };
    let patched = api::patch_identity(&to, &made.id, Some(vec![patch])).await.expect("it is patched");
    assert_eq!(patched.metadata_public, Some(Some(json!("dark"))));
    let update = UpdateIdentityBody::new(
        "default".to_owned(),
        update_identity_body::StateEnum::Inactive,
        json!({ "email": "crab@example.org", "name": {} }),
    );
    let updated = api::update_identity(&to, &made.id, Some(update)).await.expect("it is replaced");
    assert_eq!(updated.traits, Some(json!({ "email": "crab@example.org", "name": {} })));

    let several = ["one@example.org", "crab@example.org", "two@example.org"].map(|email| IdentityPatch {
        create: Some(Box::new(body(email))),
        patch_id: None,
    });
    let several = PatchIdentitiesBody { identities: Some(several.to_vec()) };
    let batch = api::batch_patch_identities(&to, Some(several)).await.expect("a batch is taken");
    let made_of: Vec<bool> = batch.identities.unwrap_or_default().iter().map(|entry| entry.identity.is_some()).collect();
    assert_eq!(made_of, [true, false, true]);

    let listed = api::list_identities(&to, None, None, Some(2), None, None, None, None, None, None, None);
    assert_eq!(listed.await.expect("a page is listed").len(), 2);
    let found =
        api::list_identities(&to, None, None, None, None, None, None, Some("CRAB@example.org"), None, None, None).await;
    assert_eq!(found.expect("it is found by its identifier").iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), [made.id.as_str()]);

    let sessions = api::list_identity_sessions(&to, &made.id, None, None, None, None, None).await.expect("sessions are listed");
    assert!(sessions.is_empty());
    assert!(api::list_sessions(&to, None, None, None, None).await.is_ok());
    let schemas = api::list_identity_schemas(&to, None, None, None, None).await.expect("schemas are listed");
    assert!(schemas.iter().any(|schema| schema.id == "default"));
    assert!(api::get_identity_schema(&to, "default").await.expect("a schema is shown")["properties"].is_object());
    assert_eq!(status(api::get_identity_schema(&to, "nope").await.expect_err("there is none")), 404);
    let last = api::delete_identity_credentials(&to, &made.id, "password", None).await;
    assert_eq!(status(last.expect_err("the last way to sign in stays")), 400);

    api::delete_identity(&to, &made.id).await.expect("it is deleted");
    assert_eq!(status(api::get_identity(&to, &made.id, None).await.expect_err("it is gone")), 404);
    println!("1 passed, 0 failed");
}

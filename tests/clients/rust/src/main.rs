//! The official Rust client drives the admin API of a server: `portcullis-client-tests http://127.0.0.1:4434`.
//!
//! Every answer must fit the client's models, which refuse what does not. It ends with status 1 at the first surprise.

use ory_kratos_client::apis::configuration::Configuration;
use ory_kratos_client::apis::{Error, identity_api as api};
use ory_kratos_client::models::{
    CreateIdentityBody, IdentityPatch, IdentityWithCredentials, IdentityWithCredentialsPassword,
    IdentityWithCredentialsPasswordConfig, JsonPatch, PatchIdentitiesBody, UpdateIdentityBody, update_identity_body,
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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("the address of the admin port");
    let to = Configuration { base_path: url.trim_end_matches('/').to_owned(), ..Configuration::new() };

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
    let last = api::delete_identity_credentials(&to, &made.id, "password", None).await;
    assert_eq!(status(last.expect_err("the last way to sign in stays")), 400);

    api::delete_identity(&to, &made.id).await.expect("it is deleted");
    assert_eq!(status(api::get_identity(&to, &made.id, None).await.expect_err("it is gone")), 404);
    println!("1 passed, 0 failed");
}

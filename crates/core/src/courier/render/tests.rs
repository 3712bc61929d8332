use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::template::samples;
use super::*;
use crate::config::{self, Config};
use crate::outbound::Settings;

pub(in super::super) fn config(courier: Value) -> Config {
    let document = json!({
        "dsn": "memory",
        "identity": {"schemas": [{"id": "default", "url": "base64://e30="}]},
        "selfservice": {"default_browser_return_url": "https://www.example.org/"},
        "secrets": {"default": ["a-secret-of-enough-length"]},
        "courier": courier,
    });
    config::from_value(document).expect("a configuration").config
}

fn url(template: &str) -> String {
    format!("base64://{}", STANDARD.encode(template))
}

async fn rendered(courier: Value, kind: Kind, via: Via) -> Rendered {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let template = samples::all().into_iter().find(|t| t.kind() == kind).expect("a sample");
    let outbound = Client::new(Settings::default()).expect("a client");
    let config = config(courier);
    render(&config.courier, &outbound, kind, via, &template.data(via, "ada@example.org")).await.expect("rendered")
}

#[tokio::test]
async fn each_part_is_replaced_alone() {
    let built_in = rendered(json!({}), Kind::RecoveryCodeValid, Via::Email).await;
    let courier = json!({"templates": {"recovery_code": {"valid": {"email": {"subject": url("  To {{ .To }}\n of {{ .RequestURLDomain }} ")}}}}});
    let mail = rendered(courier, Kind::RecoveryCodeValid, Via::Email).await;
    assert_eq!(mail.subject, "To ada@example.org of id.example.org");
    assert_eq!((&mail.text, &mail.html), (&built_in.text, &built_in.html));
    let courier = json!({"templates": {"recovery_code": {"valid": {"email": {"body": {
        "plaintext": url("{{ .RecoveryCode }}|{{ .ExpiresInMinutes }}|{{ .Identity.traits.email }}|{{ .TransientPayload.k }}"),
        "html": url("<p>{{ .To }}&{{ printf \"<%s>\" .RecoveryCode }}</p>")}}}}}});
    let mail = rendered(courier, Kind::RecoveryCodeValid, Via::Email).await;
    assert_eq!(mail.text, "314159|60|ada@example.org|v");
    assert_eq!(mail.html.as_deref(), Some("<p>ada@example.org&&lt;314159&gt;</p>"));
    assert_eq!(mail.subject, built_in.subject);
}

#[tokio::test]
async fn text_messages_and_strangers_have_templates_of_their_own() {
    let courier = json!({"templates": {
        "login_code": {"valid": {"email": {}, "sms": {"body": {"plaintext": url("{{ .LoginCode }}@{{ .RequestURLDomain }}\n")}}}},
        "recovery": {"invalid": {"email": {"subject": url("No {{ .To }}")}}},
        "verifiable_address_changed": {"email": {"subject": url("Changed {{ .Identity.traits.email }}")}},
    }});
    let sms = rendered(courier.clone(), Kind::LoginCodeValid, Via::Sms).await;
    assert_eq!((sms.text.as_str(), sms.html), ("314159@id.example.org", None));
    assert_eq!(rendered(courier.clone(), Kind::RecoveryInvalid, Via::Email).await.subject, "No ada@example.org");
    assert_ne!(rendered(courier.clone(), Kind::RecoveryValid, Via::Email).await.subject, "No ada@example.org");
    assert_eq!(rendered(courier, Kind::VerifiableAddressChanged, Via::Email).await.subject, "Changed ada@example.org");
}

#[tokio::test]
async fn a_template_that_fails_gives_way_to_the_built_in_one() {
    let built_in = rendered(json!({}), Kind::RecoveryCodeValid, Via::Email).await;
    for broken in [
        url("{{ if }}"),
        url("{{ .Nothing }}"),
        url("{{ nothing }}"),
        "file:///nowhere/at/all".into(),
        "base64://****".into(),
        "base64:///w==".into(),
    ] {
        let courier = json!({"templates": {"recovery_code": {"valid": {"email": {"subject": broken, "body": {"plaintext": broken, "html": broken}}}}}});
        assert!(rendered(courier, Kind::RecoveryCodeValid, Via::Email).await == built_in, "{broken}");
    }
}

#[tokio::test]
async fn a_folder_replaces_what_it_has() {
    let folder = std::env::temp_dir().join(format!("courier-templates-{}", std::process::id()));
    let valid = folder.join("recovery_code/valid");
    std::fs::create_dir_all(&valid).expect("a folder");
    std::fs::write(valid.join("email.subject.gotmpl"), "Path {{ .To }}\n").expect("a file");
    std::fs::write(valid.join("email.body.plaintext.gotmpl"), "{{ template \"greeting\" . }} {{ .RecoveryCode }}")
        .expect("a file");
    std::fs::write(valid.join("email.body.plaintext.parts.gotmpl"), "{{ define \"greeting\" }}Hello {{ .To }}{{ end }}")
        .expect("a file");
    let courier = json!({"template_override_path": folder});
    let mail = rendered(courier.clone(), Kind::RecoveryCodeValid, Via::Email).await;
    assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("Path ada@example.org", "Hello ada@example.org 314159"));
    assert!(mail.html.is_some_and(|html| html.contains(">314159<")));
    let other = rendered(courier, Kind::VerificationCodeValid, Via::Email).await;
    assert!(other == rendered(json!({}), Kind::VerificationCodeValid, Via::Email).await);
    std::fs::remove_dir_all(&folder).expect("removed");
}

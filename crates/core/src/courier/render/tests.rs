use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::template::samples;
use super::*;
use crate::config::{self, Config};
use crate::crypto::random::SystemClock;
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
    let outbound = Client::new(Settings::default(), Arc::new(SystemClock)).expect("a client");
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

/// What somebody might write into anything that reaches a message, to become markup, a link, a header or a template.
const HOSTILE: [&str; 6] = [
    "</p><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x='",
    "a\r\nBcc: victim@example.org\r\n\r\n<b>body</b>",
    "javascript:alert(1)//\"><iframe>",
    "{{ .RecoveryCode }}{{ template \"end\" \"x\" }}<!-- ]]> -->",
    "\u{202e}\u{0}\u{2028}&lt;b&gt;&amp;",
];

/// The data of a message with a hostile text for every text in it, and in every trait and whatever was sent along.
fn poisoned(value: &Value, with: &str) -> Value {
    match value {
        Value::String(_) => with.into(),
        Value::Array(list) => list.iter().map(|v| poisoned(v, with)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), poisoned(v, with))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

async fn rendered_with(courier: Value, kind: Kind, via: Via, data: &Map<String, Value>) -> Rendered {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outbound = Client::new(Settings::default(), Arc::new(SystemClock)).expect("a client");
    render(&config(courier).courier, &outbound, kind, via, data).await.expect("rendered")
}

/// An override for every kind that puts data into text, elements, attributes and addresses.
fn overriding(kind: Kind) -> Value {
    let body = "{{ .To }}|{{ .RequestURL }}|{{ .TransientPayload.k }}|{{ .TransientPayload }}";
    let html = "<html><body><p title=\"{{ .To }}\" data-x='{{ .TransientPayload.k }}'>{{ .To }}{{ .TransientPayload.k }}</p>\
        <a href=\"{{ .RequestURL }}\">{{ .RequestURL }}</a><a href=\"https://a.example/?q={{ .To }}\">x</a></body></html>";
    let mut words = json!({
        "email": { "subject": url("{{ .To }} {{ .TransientPayload.k }}"), "body": { "plaintext": url(body), "html": url(html) } },
    });
    if kind.config_name().ends_with("_code") && kind.is_owned() {
        words["sms"] = json!({ "body": { "plaintext": url(body) } });
    }
    let words = match kind.as_str() {
        "verifiable_address_changed" | "settings_changed" => words,
        _ if kind.is_owned() => json!({ "valid": words }),
        _ => json!({ "invalid": words }),
    };
    json!({ "templates": { kind.config_name(): words } })
}

/// Tags that are opened in HTML, by their names, and the names of attributes: what hostile texts would add to.
fn structure(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        // Within a tag, a '>' in quotes does not end it.
        let (mut quote, mut end) = (None, after.len());
        for (at, c) in after.char_indices() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (None, '>') => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (tag, after) = after.split_at(end);
        let mut outside = String::new();
        let mut quote = None;
        for c in tag.chars() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (None, c) => outside.push(c),
                _ => {}
            }
        }
        found.push(outside.split_whitespace().collect::<Vec<_>>().join(" "));
        rest = after;
    }
    found
}

#[tokio::test]
async fn hostile_values_stay_values_in_every_template_built_in_or_not() {
    for template in samples::all() {
        let kind = template.kind();
        for courier in [json!({}), overriding(kind)] {
            let plain = template.data(Via::Email, "ada@example.org");
            let harmless = rendered_with(courier.clone(), kind, Via::Email, &plain).await;
            for hostile in HOSTILE {
                let data = poisoned(&Value::Object(plain.clone()), hostile);
                let Value::Object(mut data) = data else { unreachable!("an object stays one") };
                let place = format!("{kind} {hostile:?}");
                // The time is ours, and links are made by the server; a request's address may hold anything.
                for ours in ["changed_at", "recovery_url", "verification_url", "settings_url"] {
                    if let (Some(value), Some(kept)) = (data.get_mut(ours), plain.get(ours)) {
                        value.clone_from(kept);
                    }
                }
                let mail = rendered_with(courier.clone(), kind, Via::Email, &data).await;
                assert!(!mail.subject.contains(['\r', '\n']), "{place}: {:?}", mail.subject);
                let (html, before) = (mail.html.expect("HTML"), harmless.html.clone().expect("HTML"));
                assert_eq!(structure(&html), structure(&before), "{place}: {html}");
                assert!(!html.contains("href=\"javascript:"), "{place}: {html}");
                // A text is shown as it is: nothing in it is markup, and nothing in it is a template.
                assert!(!mail.text.contains("<no value>"), "{place}: {}", mail.text);
                let data_of_text = template.data(Via::Sms, "+4915112345678");
                let Value::Object(data) = poisoned(&Value::Object(data_of_text), hostile) else { unreachable!() };
                let text = rendered_with(courier.clone(), kind, Via::Sms, &data).await;
                assert!(text.html.is_none() && text.subject.is_empty(), "{place}");
            }
        }
    }
}

#[test]
fn the_comparison_of_structures_sees_what_is_smuggled_in() {
    let one = structure("<p title=\"a > b\" id=x>text</p>");
    assert_eq!(one, ["p title= id=x", "/p"]);
    for hostile in
        ["<p title=\"a\" id=x><b>text</b></p>", "<p title=\"a\" onclick=\"1\" id=x>text</p>", "<p title=\"a\" id=x>text</p><!--"]
    {
        assert_ne!(structure(hostile), one);
    }
}

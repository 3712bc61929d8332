//! Where web hooks reach: private networks only as configured, by whatever way they lead there.

use serde_json::{Value, json};

use crate::support::{Log, Manner, Spa, Target, TestApp};

fn with(hook: &Value, http: &Value) -> Value {
    json!({ "selfservice": { "flows": { "login": { "before": { "hooks": [hook] } } } }, "clients": { "http": http } })
}

async fn begin(change: Value) -> u16 {
    let app = TestApp::with(change).await;
    Spa::new(&app).get("/self-service/login/browser").await.status
}

#[tokio::test]
async fn private_addresses_are_refused_by_literal_name_and_redirect() {
    let target = Target::start().await;
    let port = target.url.rsplit(':').next().unwrap().to_owned();
    let closed = json!({ "disallow_private_ip_ranges": true });
    let at = |host: &str| target.hook("/x", json!({ "url": format!("http://{host}:{port}/x") }));
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        assert_eq!(begin(with(&at(host), &closed)).await, 500, "{host}");
    }
    assert!(target.order().is_empty());
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(begin(with(&at(host), &json!({}))).await, 200, "{host}");
    }
    assert_eq!(target.order().len(), 2);
    // Cloud metadata is out of reach, however open the configuration is.
    for host in ["169.254.169.254", "[fd00:ec2::254]"] {
        let hook = target.hook("/x", json!({ "url": format!("http://{host}/latest") }));
        assert_eq!(begin(with(&hook, &json!({}))).await, 500, "{host}");
    }
    target.treat("/x", Manner::LeadsTo("http://169.254.169.254/latest".into()));
    assert_eq!(begin(with(&at("127.0.0.1"), &json!({}))).await, 500);
}

#[tokio::test]
async fn exceptions_are_for_the_address_that_they_name_and_for_no_redirect_from_it() {
    let target = Target::start().await;
    let log = Log::start();
    let open = json!({ "disallow_private_ip_ranges": true, "private_ip_exception_urls": [format!("{}/*", target.url)] });
    assert_eq!(begin(with(&target.hook("/x", json!({})), &open)).await, 200);
    let other = Target::start().await;
    target.treat("/x", Manner::LeadsTo(format!("{}/inside", other.url)));
    // With a body no redirect to another origin is followed at all.
    let mut hook = target.hook("/x", json!({ "method": "GET" }));
    hook["config"].as_object_mut().unwrap().remove("body");
    assert_eq!(begin(with(&hook, &open)).await, 500);
    assert!(other.order().is_empty());
    assert!(log.text().contains("must not be reached"), "{}", log.text());
}

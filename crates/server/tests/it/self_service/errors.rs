//! Errors of pages, kept for the page that shows them.

use serde_json::json;

use crate::support::{Browser, Spa, TestApp};

#[tokio::test]
async fn the_error_page_fetches_what_went_wrong_any_number_of_times() {
    let app = TestApp::new().await;
    let page = Browser::new(&app).get("/self-service/login/browser?return_to=https://evil.example").await;
    let id = page.parameter("id").unwrap();
    for query in [format!("id={id}"), format!("error={id}"), format!("error={id}&id=x")] {
        // Anyone with the id may look, without cookies.
        let answer = Spa::new(&app).get(&format!("/self-service/errors?{query}")).await;
        let body = answer.json();
        assert_eq!((answer.status, &body["id"]), (200, &json!(id)), "{query}");
        assert_eq!(body["error"]["id"], "self_service_flow_return_to_forbidden");
        assert_eq!(body["error"]["code"], 400);
        assert!(body["created_at"].is_string() && body["updated_at"].is_string());
    }
}

#[tokio::test]
async fn an_unknown_error_is_404_and_a_sample_is_made_up() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    for query in ["", "?id=", "?id=x", "?id=6a2b0c1e-2222-4333-8444-555566667777", "?id=stub:404", "?error=x&id=stub:500"] {
        let answer = spa.get(&format!("/self-service/errors{query}")).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_u64()), (404, Some(404)), "{query}");
    }
    let sample = spa.get("/self-service/errors?id=stub:500").await;
    assert_eq!((sample.status, sample.json()["error"]["code"].as_u64()), (200, Some(500)));
}

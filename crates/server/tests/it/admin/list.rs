//! Lists of identities.

use std::collections::BTreeMap;

use serde_json::json;

use super::{made, person};
use crate::support::{Admin, Answer, TestApp};

const PATH: &str = "/admin/identities";

/// The links of an answer by their relation.
fn links(answer: &Answer) -> BTreeMap<String, String> {
    let header = answer.header("link").unwrap();
    header
        .split(',')
        .map(|part| {
            let (url, rel) = part.split_once(">; rel=\"").unwrap();
            (rel.trim_end_matches('"').to_owned(), url.trim_start_matches('<').to_owned())
        })
        .collect()
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let mut all = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        all.push(person(&admin, &format!("{name}@example.org")).await);
    }
    all.sort();
    let mut seen = Vec::new();
    let mut next = Some(format!("{PATH}?page_size=2&consistency=eventual"));
    while let Some(url) = next {
        let answer = admin.get(&url).await;
        seen.extend(ids(&answer));
        let links = links(&answer);
        assert!(links["first"].contains("consistency=eventual") && links["first"].contains("page_size=2"));
        next = links.get("next").cloned();
    }
    assert_eq!(seen, all);
    let numbered = admin.get(&format!("{PATH}?page=1&per_page=2")).await;
    assert_eq!((ids(&numbered), numbered.header("x-total-count")), (all[2..4].to_vec(), Some("5".to_owned())));
    for (rel, page) in [("first", 0), ("prev", 0), ("next", 2), ("last", 2)] {
        assert_eq!(links(&numbered)[rel], format!("{PATH}?page={page}&per_page=2"));
    }
}

#[tokio::test]
async fn page_tokens_are_encrypted_where_there_are_keys_for_them() {
    let app = TestApp::with(json!({ "secrets": { "pagination": ["a-secret-for-page-tokens"] } })).await;
    let admin = Admin::new(&app);
    let mut all = [person(&admin, "a@example.org").await, person(&admin, "b@example.org").await];
    all.sort();
    let one = admin.get(&format!("{PATH}?page_size=1")).await;
    let next = &links(&one)["next"];
    assert!(!next.contains(&all[0]), "{next}");
    assert_eq!(ids(&admin.get(next).await), [all[1].clone()]);
    assert_eq!(admin.get(&format!("{PATH}?page_token={}", all[0])).await.status, 400);
}

#[tokio::test]
async fn filters() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let organization = "8d6d5a3c-4f0e-4f0e-8b5e-0a6f5b2c1d00";
    let body = json!({
        "traits": { "email": "Ada@example.org" },
        "organization_id": organization,
        "credentials": { "oidc": { "config": { "providers": [{ "provider": "hub", "subject": "Sub" }] } } }
    });
    let ada = made(&admin, &body).await;
    let bob = person(&admin, "ada2@example.org").await;
    for (query, want) in [
        (format!("ids={ada}&ids={ada}&ids=6f1c2f33-0000-4000-8000-000000000000"), vec![&ada]),
        (format!("organization_id={organization}"), vec![&ada]),
        ("credentials_identifier=%20ADA@example.org".to_owned(), vec![&ada]),
        ("credentials_identifier=hub:Sub".to_owned(), vec![&ada]),
        ("credentials_identifier=hub:sub".to_owned(), vec![]),
        ("credentials_identifier=ada".to_owned(), vec![]),
        ("preview_credentials_identifier_similar=ADA2".to_owned(), vec![&bob]),
        ("preview_credentials_identifier_similar=a%25".to_owned(), vec![]),
    ] {
        let want: Vec<String> = want.into_iter().cloned().collect();
        assert_eq!(ids(&admin.get(&format!("{PATH}?{query}")).await), want, "{query}");
    }
    let mut both = ids(&admin.get(&format!("{PATH}?preview_credentials_identifier_similar=ada")).await);
    both.sort();
    let mut want = vec![ada.clone(), bob];
    want.sort();
    assert_eq!(both, want);
    let plain = admin.get(&format!("{PATH}?ids={ada}")).await.json();
    assert!(plain[0].get("credentials").is_none() && plain[0]["verifiable_addresses"].is_array());
    let found = admin.get(&format!("{PATH}?credentials_identifier=ada@example.org")).await.json();
    assert!(found[0]["credentials"]["oidc"].get("config").is_none());
    let shown = admin.get(&format!("{PATH}?ids={ada}&include_credential=oidc")).await.json();
    assert_eq!(shown[0]["credentials"]["oidc"]["config"]["providers"][0]["subject"], "Sub");
    for bad in ["ids=", "ids=x", "page_size=many", "page_token=x", "include_credential=", "page=3&per_page=500"] {
        assert_eq!(admin.get(&format!("{PATH}?{bad}")).await.status, 400, "{bad}");
    }
}

//! Editing the configuration of a running server.

use std::os::unix::fs::symlink;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::config::first_run;
use serde_json::{Value, json};

use super::program::Place;

fn base() -> Value {
    let schema = format!("base64://{}", STANDARD.encode(first_run::IDENTITY_SCHEMA));
    json!({
        "dsn": "memory",
        "identity": { "schemas": [{ "id": "default", "url": schema }] },
        "selfservice": { "default_browser_return_url": "http://127.0.0.1/" },
        "secrets": { "cookie": ["a-secret-of-sixteen-or-more"] },
    })
}

fn with(pointer: &[&str], value: Value) -> String {
    let mut all = base();
    let mut at = &mut all;
    for key in pointer {
        at = &mut at[*key];
    }
    *at = value;
    format!("{all:#}")
}

#[test]
fn a_bad_edit_is_told_where_operators_look() {
    let place = Place::new();
    let file = place.write("config.json", base().to_string());
    let server = place.serve(&["-c", &file, "--dev"], &[]);
    let revision = || server.get("/health/config").1;
    let first = revision();
    assert_eq!(server.get("/health/ready"), (200, "{\"status\":\"ok\"}".to_owned()));

    place.write("config.json", with(&["session"], json!({ "lifespan": "soon" })));
    server.eventually("it is told", || server.get("/health/ready").1.contains("session.lifespan is"));
    let (status, body) = server.get("/health/ready");
    assert!(status == 200 && body.contains("config.json, line") && body.contains("\"status\":\"ok\""), "{body}");
    assert!(server.log().contains("the old one stays"), "{}", server.log());
    assert_eq!(revision(), first);

    let schema = json!([{ "id": "default", "url": "file:///not/there.json" }]);
    place.write("config.json", with(&["identity", "schemas"], schema));
    server.eventually("what it leads to counts too", || server.get("/health/ready").1.contains("not/there.json"));
    assert_eq!(revision(), first);

    place.write("config.json", with(&["session"], json!({ "lifespan": "2h" })));
    server.eventually("it is good again", || revision() != first);
    server.eventually("and told so", || server.get("/health/ready").1 == "{\"status\":\"ok\"}");

    place.write("config.json", with(&["log"], json!({ "level": "debug" })));
    server.eventually("what waits is told", || server.get("/health/ready").1.contains("changes wait for a restart: log.level"));
    place.write("config.json", base().to_string());
    server.eventually("and what waits no more", || server.get("/health/ready").1 == "{\"status\":\"ok\"}");
    assert_eq!(revision(), first);
}

#[test]
fn a_mounted_folder_is_swapped_under_a_running_server() {
    let place = Place::new();
    for (name, text) in [("..one", base().to_string()), ("..two", with(&["session"], json!({ "lifespan": "2h" })))] {
        std::fs::create_dir(place.path(name)).unwrap();
        std::fs::write(place.path(name).join("config.json"), text).unwrap();
    }
    symlink("..one", place.path("..data")).unwrap();
    symlink("..data/config.json", place.path("config.json")).unwrap();
    let server = place.serve(&["-c", "config.json", "--dev"], &[]);
    let first = server.get("/health/config").1;
    symlink("..two", place.path("..next")).unwrap();
    std::fs::rename(place.path("..next"), place.path("..data")).unwrap();
    std::fs::remove_dir_all(place.path("..one")).unwrap();
    server.eventually("the swap is seen", || server.get("/health/config").1 != first);
}

//! Files: kinds, merging, and what is wrong with them.

use std::path::Path;

use serde_json::json;

use super::super::load;
use super::{Folder, least, merged, sources};

fn refused(path: &Path) -> String {
    load(&sources(&[path], &[])).map(|_| ()).expect_err("a refusal").to_string()
}

#[test]
fn all_kinds_are_read_and_merged_in_order() {
    let folder = Folder::new();
    let base = folder.write(
        "base.json",
        merged(least(), json!({"selfservice": {"allowed_return_urls": ["https://a", "https://b"]}})).to_string(),
    );
    let one = folder.write(
        "one.yml",
        "# a comment\nselfservice:\n  flows: {login: {ui_url: 'https://one'}}\n  allowed_return_urls: [https://only]\n",
    );
    let two =
        folder.write("two.toml", "[selfservice.flows.registration]\nui_url = \"https://two\"\n[serve.public]\nport = 5001\n");
    let three = folder.write("three.YAML", "\u{feff}selfservice:\n  flows:\n    login:\n      ui_url: https://three\nserve:\n  public:\n    socket:\n      mode: 0700\n");
    let empty = folder.write("empty.yaml", "# nothing yet\n");
    let nothing = folder.write("nothing.json", "");
    let all = [base.as_path(), &one, &two, &three, &empty, &nothing];
    let c = load(&sources(&all, &[])).unwrap_or_else(|e| panic!("{e}")).config;
    let flows = &c.selfservice.flows;
    assert_eq!(flows.login.common.ui_url.as_deref(), Some("https://three"));
    assert_eq!(flows.registration.common.ui_url.as_deref(), Some("https://two"));
    assert_eq!(c.selfservice.allowed_return_urls, ["https://only"]);
    assert_eq!((c.serve.public.port, c.serve.public.socket.mode), (5001, 0o700));
}

#[test]
fn a_section_left_empty_is_as_good_as_none() {
    let folder = Folder::new();
    let base = folder.write("base.json", merged(least(), json!({"session": {"lifespan": "1h"}})).to_string());
    let over = folder.write("over.yaml", "courier:\nsession:\n  lifespan:\n");
    let c = load(&sources(&[&base, &over], &[])).unwrap_or_else(|e| panic!("{e}")).config;
    assert_eq!(c.session.lifespan.as_secs(), 24 * 3600, "the default shows again");
}

#[test]
fn yaml_anchors_and_merge_keys_work() {
    let folder = Folder::new();
    let yaml = r#"
dsn: memory
identity: {schemas: [{id: default, url: "file:///p.json"}]}
secrets: {cookie: [a-secret-for-the-tests]}
selfservice:
  default_browser_return_url: https://www.example.org/
  flows:
    login: &common {lifespan: 5m}
    registration: *common
    settings:
      <<: *common
      required_aal: aal1
"#;
    let c = load(&sources(&[&folder.write("c.yaml", yaml)], &[])).unwrap_or_else(|e| panic!("{e}")).config;
    let flows = &c.selfservice.flows;
    for lifespan in [flows.login.common.lifespan, flows.registration.common.lifespan, flows.settings.common.lifespan] {
        assert_eq!(lifespan.as_secs(), 300);
    }
}

#[test]
fn broken_files_are_named_with_the_place() {
    let folder = Folder::new();
    let deep_yaml = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_block: String = (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let deep_json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_toml = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{m}, *a{m}, *a{m}]\n", m = n - 1)).collect();
    for (name, text, words) in [
        ("a.json", "{\"dsn\": ".to_owned(), "is not valid JSON: EOF while parsing a value at line 1 column 8"),
        ("b.json", "{\n  \"dsn\": hunter2\n}".to_owned(), "line 2"),
        ("c.json", "[1]".to_owned(), "must be a mapping"),
        (
            "e.json",
            "{\n \"log\": {\"level\": \"info\",\n \"level\": \"hunter2\"}}".to_owned(),
            "the key log.level stands twice, again at line 3",
        ),
        ("d.json", deep_json, "is not valid JSON: recursion limit"),
        ("a.yaml", "a: [1\nb: 2".to_owned(), "is not valid YAML: "),
        ("b.yaml", "dsn: memory\nlog:\n  level: info\ndsn: hunter2\n".to_owned(), "line 4"),
        ("c.yaml", "- a\n- b\n".to_owned(), "must be a mapping"),
        ("d.yaml", deep_yaml, "is not valid YAML"),
        ("e.yaml", deep_block, "is not valid YAML"),
        ("f.yaml", format!("a0: &a0 [x]\n{bomb}"), "is not valid YAML"),
        ("g.yaml", "a: 1\n---\nb: 2\n".to_owned(), "is not valid YAML"),
        ("a.toml", "x = 1\na = ".to_owned(), "is not valid TOML"),
        ("b.toml", "a = 1\na = 2\n".to_owned(), "line 2"),
        ("c.toml", deep_toml, "is not valid TOML"),
        ("a.ini", "a = b".to_owned(), "is of an unknown kind (.ini)"),
        ("plain", "a: b".to_owned(), "has no ending"),
    ] {
        let told = refused(&folder.write(name, text));
        assert!(told.contains(name) && told.contains(words), "{name}: {told}");
        assert!(!told.contains("hunter2"), "{name}: {told}");
        assert!(told.len() < 1000, "{name}: {} characters", told.len());
    }
    assert!(refused(&folder.path("not-there.json")).contains("not-there.json cannot be opened"));
    assert!(refused(&folder.write("latin.yaml", b"a: \xff")).contains("is not UTF-8 text (byte 3)"));
    std::fs::create_dir(folder.path("folder.yaml")).expect("a folder");
    assert!(refused(&folder.path("folder.yaml")).contains("folder.yaml cannot be"));
}

#[test]
fn a_huge_file_is_refused_in_words() {
    let folder = Folder::new();
    let told = refused(&folder.write("huge.yaml", "# filler\n".repeat(10 * 1024 * 1024 / 9)));
    assert!(told.contains("huge.yaml is larger than 4 MB"), "{told}");
}

#[test]
fn all_broken_files_are_told_of_and_nothing_else() {
    let folder = Folder::new();
    let (a, b) = (folder.write("a.json", "{"), folder.write("b.toml", "="));
    let told = load(&sources(&[&a, &b], &[])).expect_err("a refusal").to_string();
    assert!(told.contains("a.json") && told.contains("b.toml") && !told.contains("is missing"), "{told}");
}

#[test]
fn yes_is_a_text_as_in_other_parsers_of_these_files() {
    let folder = Folder::new();
    let base = folder.write("base.json", least().to_string());
    let over = folder.write("over.yaml", "courier:\n  smtp:\n    from_name: yes\n");
    let c = load(&sources(&[&base, &over], &[])).unwrap_or_else(|e| panic!("{e}")).config;
    assert_eq!(c.courier.smtp.from_name.as_deref(), Some("yes"));
}

#[test]
fn what_is_refused_is_named_with_file_and_line() {
    let folder = Folder::new();
    let base =
        folder.write("base.json", format!("{:#}", merged(least(), json!({"nonsense": 1, "serve": {"public": {"port": 7}}}))));
    let yaml = folder.write(
        "a.yaml",
        "# ours\nselfservice:\n  flows:\n    login: &common\n      lifespan: soon\n    settings:\n      <<: *common\n      \"ui_urll\": /x\n",
    );
    let toml =
        folder.write("b.toml", "[serve.public]\nport = 70000\n[serve.public.cors]\nallowed_origins = [\n'*',\n'nowhere']\n");
    let told = load(&sources(&[&base, &yaml, &toml], &[("SERVE_ADMIN_PORT", "x")])).expect_err("refusals").to_string();
    for (key, words) in [
        ("nonsense is not a known key", "base.json, line 19)"),
        ("selfservice.flows.login.lifespan is \"soon\", but must be a length of time", "a.yaml, line 5)"),
        ("selfservice.flows.settings.lifespan is \"soon\"", "a.yaml, line 6)"),
        ("selfservice.flows.settings.ui_urll is not a known key; was ui_url meant?", "a.yaml, line 8)"),
        ("serve.public.port is 70000, but must be a port", "b.toml, line 2)"),
        ("serve.public.cors.allowed_origins.1 is \"nowhere\"", "b.toml, line 6)"),
        ("serve.admin.port is \"x\"", "(environment variable SERVE_ADMIN_PORT)"),
    ] {
        let line =
            told.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_else(|| panic!("{key} is not in {told}"));
        assert!(line.ends_with(words), "{line}");
    }
}

#[test]
fn one_section_can_be_read_without_the_rest() {
    use super::super::{database::Database, section};
    let folder = Folder::new();
    let file = folder.write("part.yaml", "database:\n  cleanup:\n    batch_size: 7\nserve: {public: {port: x}}\n");
    let read = section::<Database>(&sources(&[&file], &[]), "database").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((read.cleanup.batch_size, read.cleanup.sleep.tables.as_secs()), (7, 60));
    let wrong = sources(&[&file], &[("DATABASE_CLEANUP_BATCH_SIZE", "-1")]);
    let told = section::<Database>(&wrong, "database").map(|_| ()).expect_err("a refusal").to_string();
    assert!(told.contains("database.cleanup.batch_size is -1") && !told.contains("serve.public.port"), "{told}");
}

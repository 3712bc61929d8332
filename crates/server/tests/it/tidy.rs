//! The rules of the house that no compiler checks. Each names the files that break it.

use std::path::{Path, PathBuf};

/// Every Rust file of the workspace with its path from the workspace's root.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, out);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                out.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut files = Vec::new();
    walk(&root.join("crates"), &mut files);
    assert!(files.len() > 50, "the sources are not where they were");
    let named =
        |path: PathBuf| (path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap());
    files.into_iter().map(named).collect()
}

/// The text without comments, test modules and the texts inside quotes' lines: what a rule about code looks at.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn offenders(applies: impl Fn(&str) -> bool, breaks: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let all = sources().into_iter().filter(|(path, _)| applies(path) && !path.ends_with("tidy.rs"));
    all.filter(|(path, text)| breaks(path, text)).map(|(path, _)| path).collect()
}

fn none(list: &[String], rule: &str) {
    assert!(list.is_empty(), "{rule}:\n{}", list.join("\n"));
}

#[test]
fn only_the_store_speaks_sql() {
    let verbs = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "rusqlite::", "tokio_postgres::"];
    // What tests do to a database behind the server's back: look at it as a thief would, break it off, make room in it.
    let behind = ["support/raw.rs", "support/faults.rs", "support/databases.rs", "support/kratos.rs"];
    let behind = behind.map(|file| format!("crates/server/tests/it/{file}"));
    let applies = |path: &str| !path.starts_with("crates/store/") && !behind.iter().any(|file| file == path);
    let bad = offenders(applies, |_, text| verbs.iter().any(|v| code(text).contains(v)));
    none(&bad, "SQL outside the store");
}

#[test]
fn only_the_server_speaks_http() {
    let words = ["axum::", "hyper::", "hyper_util::", "use http::", "tower::"];
    let bad = offenders(
        |p| !p.starts_with("crates/server/") && !p.contains("/tests"),
        |_, text| words.iter().any(|w| code(text).lines().any(|l| l.contains(w) && !l.contains("reqwest::"))),
    );
    none(&bad, "HTTP server crates outside the server");
}

#[test]
fn flows_name_no_method_and_no_hook() {
    let concrete = concrete_names();
    let bad = offenders(
        |p| p.starts_with("crates/core/src/flow/"),
        |_, text| {
            let code = code(text);
            concrete.iter().any(|(room, name)| {
                code.contains(&format!("{room}::{name}::")) || code.contains(&format!("crate::{room}::{name};"))
            })
        },
    );
    none(&bad, "a flow names a method or hook");
}

/// (`method` or `hook`, name) of every concrete one.
fn concrete_names() -> Vec<(&'static str, String)> {
    let all = sources();
    let below = |room: &'static str| {
        let prefix = format!("crates/core/src/{room}/");
        let names: std::collections::BTreeSet<String> = all
            .iter()
            .filter_map(|(path, _)| path.strip_prefix(&prefix)?.split(['/', '.']).next().map(str::to_owned))
            .filter(|name| name != "mod" && name != "tests")
            .collect();
        names.into_iter().map(move |name| (room, name)).collect::<Vec<_>>()
    };
    [below("method"), below("hook")].concat()
}

#[test]
fn methods_do_not_use_each_other() {
    let methods: Vec<String> = concrete_names().into_iter().filter(|(room, _)| *room == "method").map(|(_, name)| name).collect();
    let bad = offenders(
        |p| p.starts_with("crates/core/src/method/"),
        |path, text| {
            let own = path.trim_start_matches("crates/core/src/method/").split(['/', '.']).next().unwrap_or_default().to_owned();
            own != "mod" && methods.iter().any(|m| *m != own && code(text).contains(&format!("method::{m}::")))
        },
    );
    none(&bad, "a method uses another");
}

#[test]
fn files_are_short_enough_to_read() {
    let bad = offenders(|_| true, |_, text| text.lines().count() > 600);
    none(&bad, "more than 600 lines");
}

#[test]
fn nothing_is_called_utils() {
    let bad = offenders(
        |p| {
            Path::new(p).components().any(|c| {
                matches!(
                    c.as_os_str().to_str(),
                    Some(
                        "utils"
                            | "utils.rs"
                            | "util"
                            | "util.rs"
                            | "helpers"
                            | "helpers.rs"
                            | "helper.rs"
                            | "common"
                            | "common.rs"
                            | "misc"
                            | "misc.rs"
                    )
                )
            })
        },
        |_, _| true,
    );
    none(&bad, "a name that says nothing");
}

//! Reloading while running, in a folder of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{FileWatch, Live, ReloadError, Reloaded, Sources, load, watch};
use super::{Folder, least, merged, sources};

fn text(lifespan: &str) -> String {
    merged(least(), json!({"session": {"lifespan": lifespan}})).to_string()
}

fn eventually(what: &str, check: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !check() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server's configuration under watch.
struct Watched {
    live: Arc<Live>,
    applied: Arc<AtomicU32>,
    _watch: FileWatch,
}

impl Watched {
    fn new(files: &[&Path]) -> Self {
        Self::with(sources(files, &[]), |_| Ok(()))
    }

    fn with(sources: Sources, accept: impl Fn(&super::Config) -> Result<(), String> + Send + 'static) -> Self {
        let live = Arc::new(Live::new(load(&sources).unwrap_or_else(|e| panic!("{e}")).config));
        let applied = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&applied);
        let told = move |_: &Arc<super::Config>| {
            count.fetch_add(1, Ordering::SeqCst);
        };
        let watch = watch(Arc::clone(&live), sources, accept, told).expect("a thread");
        Self { live, applied, _watch: watch }
    }

    fn lifespan(&self) -> u64 {
        self.live.snapshot().session.lifespan.as_secs()
    }

    fn becomes(&self, seconds: u64, what: &str) {
        eventually(what, || self.lifespan() == seconds);
    }
}

#[test]
fn edits_in_place_take_effect_and_bad_ones_do_not() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let w = Watched::new(&[&file]);
    folder.write("config.json", text("2s"));
    w.becomes(2, "a good edit");
    folder.write("config.json", text("soon"));
    eventually("the bad edit is noticed", || w.live.standing().refused.is_some_and(|e| e.contains("session.lifespan")));
    assert_eq!(w.lifespan(), 2);
    folder.write("config.json", "{\"broken\": ");
    eventually("the broken file is noticed", || w.live.standing().refused.is_some_and(|e| e.contains("not valid JSON")));
    assert_eq!(w.lifespan(), 2);
    folder.write("config.json", text("3s"));
    w.becomes(3, "the next good edit");
    eventually("the error is over", || w.live.standing().refused.is_none());
    eventually("each is told of once", || w.applied.load(Ordering::SeqCst) == 2);
}

#[test]
fn files_that_are_renamed_over_removed_and_put_back() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let w = Watched::new(&[&file]);
    std::fs::rename(folder.write("next.json", text("2s")), &file).expect("a rename");
    w.becomes(2, "renamed over");
    std::fs::remove_file(&file).expect("a removal");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!((w.lifespan(), w.live.standing().refused), (2, None), "what was there last stays");
    folder.write("config.json", text("3s"));
    w.becomes(3, "put back");
}

#[test]
fn a_second_file_is_watched_and_the_order_and_environment_stay() {
    let folder = Folder::new();
    let base = folder.write("base.json", text("1s"));
    let over = folder.write("over.yaml", "session: {lifespan: 5s}\n");
    let w = Watched::with(sources(&[&base, &over], &[("COOKIES_PATH", "/env")]), |_| Ok(()));
    folder.write("over.yaml", "session: {lifespan: 6s}\ncookies: {path: /file}\n");
    w.becomes(6, "the second file");
    assert_eq!(w.live.snapshot().cookies.path, "/env");
    folder.write(
        "base.json",
        merged(least(), json!({"session": {"lifespan": "9s"}, "cookies": {"same_site": "Strict"}})).to_string(),
    );
    eventually("the first file", || w.live.snapshot().cookies.same_site.as_str() == "Strict");
    assert_eq!(w.lifespan(), 6);
}

#[cfg(unix)]
#[test]
fn folders_that_are_swapped_by_a_link() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    for (version, lifespan) in [("..v1", "1s"), ("..v2", "2s")] {
        std::fs::create_dir(folder.path(version)).expect("a folder");
        folder.write(&format!("{version}/config.json"), text(lifespan));
    }
    symlink("..v1", folder.path("..data")).expect("a link");
    symlink("..data/config.json", folder.path("config.json")).expect("a link");
    let w = Watched::new(&[&folder.path("config.json")]);
    assert_eq!(w.lifespan(), 1);
    symlink("..v2", folder.path("..new")).expect("a link");
    std::fs::rename(folder.path("..new"), folder.path("..data")).expect("a rename");
    w.becomes(2, "the link leads elsewhere");

    // A link into another folder: the file there is watched too.
    let elsewhere = Folder::new();
    let real = elsewhere.write("real.json", text("4s"));
    std::fs::remove_file(folder.path("config.json")).expect("a removal");
    symlink(&real, folder.path("config.json")).expect("a link");
    w.becomes(4, "a link to another folder");
    elsewhere.write("real.json", text("5s"));
    w.becomes(5, "the file that is linked to");
}

#[test]
fn what_changed_between_loading_and_watching_is_seen() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let sources = sources(&[&file], &[]);
    let live = Arc::new(Live::new(load(&sources).unwrap_or_else(|e| panic!("{e}")).config));
    folder.write("config.json", text("2s"));
    let _watch = watch(Arc::clone(&live), sources, |_| Ok(()), |_| {}).expect("a thread");
    eventually("the first look", || live.snapshot().session.lifespan.as_secs() == 2);
}

#[test]
fn neighbours_and_dropped_watches_are_quiet() {
    let folder = Folder::new();
    let file = folder.write("config.json", "1");
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let watch = FileWatch::start(vec![file], move || {
        seen.fetch_add(1, Ordering::SeqCst);
    })
    .expect("a thread");
    folder.write("neighbour.db", "x");
    folder.write("config.json", "1");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count.load(Ordering::SeqCst), 0, "the same contents are no change");
    folder.write("config.json", "2");
    eventually("a change", || count.load(Ordering::SeqCst) == 1);
    drop(watch);
    std::thread::sleep(Duration::from_millis(50));
    folder.write("config.json", "3");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn without_files_nothing_is_watched() {
    assert!(FileWatch::start(Vec::new(), || panic!("nothing can change")).is_ok());
}

#[test]
fn a_configuration_that_cannot_be_used_is_not_put_in_force() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let sources = sources(&[&file], &[]);
    let live = Live::new(load(&sources).unwrap_or_else(|e| panic!("{e}")).config);
    assert!(matches!(live.reload(&sources, |_| panic!("nothing to accept")), Ok(Reloaded::Same)));
    folder.write("config.json", text("2s"));
    let refused = live.reload(&sources, |_| Err("the schema default cannot be loaded".to_owned()));
    assert!(matches!(refused, Err(ReloadError::Unusable(_))));
    assert_eq!(live.snapshot().session.lifespan.as_secs(), 1);
    assert!(live.standing().refused.is_some_and(|e| e.contains("the schema default")));
    assert!(matches!(live.reload(&sources, |_| Ok(())), Ok(Reloaded::Changed { .. })));
    assert_eq!((live.snapshot().session.lifespan.as_secs(), live.standing().refused), (2, None));
}

#[test]
fn what_waits_for_a_restart_is_told() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let sources = sources(&[&file], &[]);
    let live = Live::new(load(&sources).unwrap_or_else(|e| panic!("{e}")).config);
    let change = |over: Value| {
        folder.write("config.json", merged(least(), over).to_string());
        match live.reload(&sources, |_| Ok(())) {
            Ok(Reloaded::Changed { waiting, .. }) => waiting,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(change(json!({"serve": {"public": {"base_url": "https://new.example.org/"}}})), Vec::<&str>::new());
    let over = json!({"dsn": "sqlite://x", "serve": {"public": {"port": 1}, "admin": {"host": "::1", "tls": {"key": {"path": "/k"}}}}, "log": {"level": "debug"}});
    assert_eq!(change(over), ["dsn", "serve.public.port", "serve.admin.host", "serve.admin.tls", "log.level"]);
    assert_eq!(live.standing().waiting.len(), 5, "and stays known");
    assert_eq!(change(json!({"log": {"level": "info"}, "session": {"lifespan": "7s"}})), Vec::<&str>::new(), "taken back");
}

#[test]
fn snapshots_are_kept_while_others_reload() {
    let folder = Folder::new();
    let file = folder.write("config.json", text("1s"));
    let sources = sources(&[&file], &[]);
    let live = Live::new(load(&sources).unwrap_or_else(|e| panic!("{e}")).config);
    let before = live.snapshot();
    folder.write("config.json", text("2s"));
    let results: Mutex<Vec<bool>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let result = live.reload(&sources, |_| Ok(()));
                results.lock().expect("unpoisoned").push(result.is_ok());
            });
        }
    });
    assert!(results.into_inner().expect("unpoisoned").iter().all(|ok| *ok));
    assert_eq!((before.session.lifespan.as_secs(), live.snapshot().session.lifespan.as_secs()), (1, 2));
}

//! Commands that work on the database itself.

use std::sync::atomic::{AtomicBool, Ordering};

use super::program::{Ended, Place, mode};
use super::{Server, identity};

#[test]
fn what_is_past_its_time_is_removed_on_demand() {
    let place = Place::new();
    let dsn = place.dsn("db.sqlite");
    place.run(&["cleanup", "sql", &dsn]).refused(&["there is no file"]);
    assert!(!place.path("db.sqlite").exists(), "a wrong name makes no file");
    let server = place.serve(&[], &[("DSN", &dsn), ("SELFSERVICE_FLOWS_LOGIN_LIFESPAN", "1s")]);
    for _ in 0..3 {
        assert_eq!(server.get_public("/self-service/login/api").0, 200);
    }
    assert_eq!(server.get_public("/self-service/registration/api").0, 200);
    drop(server);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let quick = ["cleanup", "sql", "--database.cleanup.sleep.tables", "1ms", "--database.cleanup.batch_size", "2"];
    for (more, removed) in [(&["--keep-last", "1h"][..], 0), (&[], 3), (&[], 0)] {
        let ended = place.run_with(&[&quick[..], more].concat(), &[("DSN", &dsn)], "").done();
        assert_eq!(ended.out, format!("Removed {removed} rows.\n"), "{more:?}");
    }
    place.run(&["cleanup", "sql"]).refused(&["DSN"]);
    place
        .run(&[
            "cleanup",
            "sql",
            &place.dsn("other.sqlite"),
            "-c",
            &place.write("c.yaml", "database: {cleanup: {batch_size: 0}}\n"),
        ])
        .refused(&["database.cleanup.batch_size", "c.yaml, line 1"]);
}

#[test]
fn a_database_in_use_is_copied_whole() {
    let place = Place::new();
    let server = place.serve(&[], &[]);
    let done = AtomicBool::new(false);
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut made = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(server.post("/admin/identities", &identity(&format!("p{made}@example.org"))).0, 201);
                made += 1;
            }
            made
        });
        server.eventually("somebody is there", || server.get("/admin/identities").1.len() > 2000);
        let ended = (0..3).map(|n| place.run(&["backup", &format!("copy-{n}.db")])).collect();
        done.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 0);
        ended
    });
    for (n, ended) in ended.into_iter().enumerate() {
        let ended = ended.done();
        assert!(ended.out.contains("copy-") && ended.err.contains("data/secrets.json"), "{ended:?}");
        let copy = place.path(&format!("copy-{n}.db"));
        assert_eq!(mode(&copy), 0o600);
        place.run(&["check", &format!("sqlite://{}", copy.display())]).done();
        // Nothing else is left lying about.
        assert!(!place.path(&format!("copy-{n}.db-wal")).exists());
    }
    place.run(&["check"]).done();
    assert!(std::fs::read_dir(place.path(".")).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("partial")));
    let before = std::fs::read(place.path("copy-0.db")).unwrap();
    place.run(&["backup", "copy-0.db"]).refused(&["copy-0.db exists already and is not overwritten"]);
    assert_eq!(std::fs::read(place.path("copy-0.db")).unwrap(), before);

    // A server takes the copy up as it is, with the secrets that were kept.
    drop(server);
    for name in ["portcullis.db-wal", "portcullis.db-shm"] {
        let _ = std::fs::remove_file(place.path("data").join(name));
    }
    std::fs::copy(place.path("copy-2.db"), place.path("data/portcullis.db")).unwrap();
    let server = place.serve(&[], &[]);
    assert!(server.get("/admin/identities").1.contains("p0@example.org"));
}

#[test]
fn only_files_can_be_copied() {
    let place = Place::new();
    for (dsn, words) in [
        ("postgres://ada:hunter2@localhost/db", "pg_dump"),
        ("memory", "in memory"),
        ("mysql://localhost/db", "mysql"),
        ("sqlite:///nowhere/at/all.db", "there is no file /nowhere/at/all.db"),
    ] {
        let ended = place.run_with(&["backup", "copy.db"], &[("DSN", dsn)], "");
        ended.refused(&[words]);
        assert!(!ended.err.contains("hunter2"));
        let ended = place.run_with(&["check"], &[("DSN", dsn)], "");
        ended.refused(&[]);
    }
    place.run(&["backup", "copy.db"]).refused(&["there is no file data/portcullis.db"]);
    place.run(&["backup", "copy.db", "-c", &place.write("c.yaml", "{}")]).refused(&["names a database"]);
    place.run(&["migrate", "sql", "up", "-y", &place.dsn("db.sqlite")]).done();
    place.run(&["backup", "no/such/folder.db", &place.dsn("db.sqlite")]).refused(&["no/such/folder.db"]);
    assert!(!place.path("copy.db").exists());
}

/// A migrated database with some people in it, closed in order.
fn filled(place: &Place) -> Vec<u8> {
    let server = place.serve(&[], &[]);
    for n in 0..200 {
        assert_eq!(server.post("/admin/identities", &identity(&format!("person-{n}@example.org"))).0, 201);
    }
    drop(server);
    place.run(&["backup", "sound.db"]).done();
    std::fs::read(place.path("sound.db")).unwrap()
}

#[test]
fn a_damaged_file_is_told_in_words() {
    let place = Place::new();
    let sound = filled(&place);
    let half = sound.len() / 2;
    let mut scribbled = sound.clone();
    for byte in scribbled.iter_mut().skip(8192).step_by(7) {
        *byte ^= 0x5a;
    }
    let mut beheaded = sound.clone();
    beheaded[..100].fill(7);
    let others = vec![b'x'; 100_000];
    for (name, bytes, starts) in
        [("cut", &sound[..half], false), ("scribbled", &scribbled, false), ("beheaded", &beheaded, true), ("text", &others, true)]
    {
        let file = place.write(&format!("{name}.db"), bytes);
        let dsn = format!("sqlite://{file}");
        for args in [&["check", &dsn][..], &["check", "--quick", &dsn], &["backup", "copy.db", &dsn]] {
            let ended = place.run(args);
            assert_eq!(ended.code, 1, "{name} {args:?}: {ended:?}");
            ended.refused(&[]);
        }
        assert!(!place.path("copy.db").exists(), "{name}");
        // Damage in the head or in the schema is met at once; deeper damage when it is read.
        if starts {
            let ended = place.run_with(&["serve"], &[("DSN", &dsn)], "");
            ended.refused(&["the database cannot be used", "portcullis check"]);
        }
    }
    let told = place.run(&["check", &place.dsn("scribbled.db")]);
    told.refused(&["restore a backup"]);
    place.run(&["check", &place.dsn("sound.db")]).done();
}

#[test]
fn damage_that_is_met_while_serving_ends_nothing() {
    let place = Place::new();
    let mut bytes = filled(&place);
    // The pages that hold people, and nothing that a start reads.
    let holds_people = |page: &[u8]| page.windows(16).any(|w| w == b"\"email\":\"person-");
    let mut damaged = 0;
    for page in bytes.chunks_mut(4096).skip(1).filter(|page| holds_people(page)) {
        page[0] = 0x55;
        damaged += 1;
    }
    assert!(damaged > 3);
    let file = place.write("bad.db", bytes);
    let dsn = format!("sqlite://{file}");
    let mut command = place.command(&["serve"]);
    command.env("DSN", &dsn);
    let server = Server::start(command, &[], place.path("log.txt"));
    let (status, body) = server.get("/admin/identities?page_size=500");
    assert!(status == 500 && !body.contains("malformed"), "{status} {body}");
    assert!(server.log().contains("malformed"), "{}", server.log());
    assert_eq!(server.get("/health/alive").0, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

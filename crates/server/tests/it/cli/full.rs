//! A disk that is full, and has room again: a small file system in memory, which takes a name space of the process's own.

use std::process::Command;

use super::identity;
use super::program::{Place, Server};

/// Whether this machine lets a process have a file system of its own.
fn possible() -> bool {
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]).output();
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    if !possible() {
        eprintln!("not tried: no file systems can be mounted here");
        return;
    }
    let place = Place::new();
    let disk = place.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = r#"mount -t tmpfs -o size=6m none "$0" && head -c 1m /dev/zero > "$0/ballast" && exec "$1" serve"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).arg(&disk).arg(env!("CARGO_BIN_EXE_portcullis"));
    command.env("PORTCULLIS_DATA", disk.join("data")).current_dir(place.path("."));
    let server = Server::start(command, &[], place.path("log.txt"));

    let padding = "x".repeat(20_000);
    let mut saved = Vec::new();
    let refused = (0..2000).find_map(|n| {
        let mut one = identity(&format!("person-{n}@example.org"));
        one["metadata_admin"] = padding.as_str().into();
        let (status, body) = server.post("/admin/identities", &one);
        if status == 201 {
            saved.push(serde_json::from_str::<serde_json::Value>(&body).unwrap()["id"].as_str().unwrap().to_owned());
            return None;
        }
        Some((status, body))
    });
    let (status, body) = refused.expect("six megabytes are full some time");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("cannot save"), "{body}");
    assert!(server.log().contains("the disk of the database is full"), "{}", server.log());
    assert!(saved.len() > 10, "{}", saved.len());

    // Reading goes on; whoever asks is told. (A single page may still fit, so this is asked while big things are refused.)
    let last = saved.last().unwrap();
    assert_eq!(server.get(&format!("/admin/identities/{last}")).0, 200);
    let (ready, told) = server.get("/health/ready");
    assert!(ready == 503 && told.contains("full") || ready == 200, "{ready} {told}");
    assert_eq!(server.get("/health/alive").0, 200);

    // There is room again.
    std::fs::remove_file(format!("/proc/{}/root{}", server.id(), disk.join("ballast").display())).unwrap();
    server.eventually("it is ready again", || server.get("/health/ready").0 == 200);
    assert_eq!(server.post("/admin/identities", &identity("after@example.org")).0, 201);
    assert!(server.log().contains("has room again"), "{}", server.log());
    for id in &saved {
        assert_eq!(server.get(&format!("/admin/identities/{id}")).0, 200, "what was answered with 201 is there");
    }
    assert!(!server.log().contains("panicked"));
}

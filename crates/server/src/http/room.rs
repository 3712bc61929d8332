//! How many connections a port holds at once, and what happens when there are more.
//!
//! Somebody who comes when the port is full waits, and the connections that do nothing are asked to end: whoever keeps one
//! for later opens another without noticing. So idle connections, wanted or hostile, never keep others out for long.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::ports::Port;

/// The most connections of a port, if the system lets the process open as many files. Idle ones hold a few KiB each.
const MOST: usize = 16_384;
/// The fewest, however tight the system is.
const FEWEST: usize = 32;
/// How many open files are left for everything else: the database, outgoing requests, workers.
const RESERVED: u64 = 256;
/// As many open files are never needed.
const ENOUGH: u64 = 65_536;
/// How often idle connections are asked again while somebody waits.
const NUDGE: Duration = Duration::from_millis(250);

/// The room of a port.
#[derive(Clone, Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    wanted: watch::Sender<()>,
}

/// A place in the room. It is free again when this is dropped.
#[derive(Debug)]
pub struct RoomPlace {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// Room for this many connections.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), wanted: watch::Sender::new(()) }
    }

    /// Room for as many connections as a port of this process can hold: of the files that it may open, less some, three
    /// quarters are the public port's.
    #[must_use]
    pub fn of_port(port: Port) -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH).saturating_sub(RESERVED) / 4;
        let share = match port {
            Port::Public => files.saturating_mul(3),
            Port::Admin => files,
        };
        Self::new(usize::try_from(share).unwrap_or(MOST).clamp(FEWEST, MOST))
    }

    /// A place, as soon as there is one. `None` never comes while the room exists.
    pub async fn enter(&self) -> Option<RoomPlace> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(RoomPlace { _permit: permit });
        }
        tracing::debug!("no room for another connection: idle ones are asked to end");
        loop {
            self.wanted.send_replace(());
            if let Ok(permit) = tokio::time::timeout(NUDGE, Arc::clone(&self.places).acquire_owned()).await {
                return permit.ok().map(|permit| RoomPlace { _permit: permit });
            }
        }
    }

    /// Tells, each time it changes, that somebody waits for a place.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<()> {
        self.wanted.subscribe()
    }
}

/// Raises the number of files that the process may open as far as the system lets it. Many systems start with 1024, for the
/// sake of programs older than `poll`.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < most)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_makes_others_hear_of_it() {
        let room = Room::new(1);
        let mut wanted = room.wanted();
        let first = room.enter().await.unwrap();
        assert!(!wanted.has_changed().unwrap());
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.enter().await }
        });
        for _ in 0..3 {
            wanted.changed().await.unwrap();
        }
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap().is_some());
    }

    #[test]
    fn there_is_room_for_somebody() {
        assert!(Room::of_port(Port::Admin).places.available_permits() >= FEWEST);
    }
}

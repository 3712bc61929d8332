//! Reading connections, used on the thread that asks.
//!
//! Each thread has a slot of its own that it nearly always finds free; if another thread is in it, the next free one
//! will do. So there are never more connections than slots, no thread waits for another as long as there are slots for
//! all that read at once, and closing closes all of them.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::connection::{Place, failure, query};
use crate::dialect::{Dialect, Query};
use crate::failure::StoreError;
use crate::value::Row;

thread_local! {
    static SEAT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A number that stays the same for a thread, given in turn.
fn seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SEAT.with(|seat| {
        seat.get().unwrap_or_else(|| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            seat.set(Some(number));
            number
        })
    })
}

/// A fixed number of reading connections, each opened when it is first needed.
pub(super) struct Readers {
    place: Place,
    dialect: Arc<Dialect>,
    slots: Vec<Mutex<Option<Connection>>>,
    /// Bytes of the file that each connection maps.
    map: i64,
    closed: AtomicBool,
}

impl Readers {
    /// `map` is the number of bytes of the file that all connections together map into memory. A mapped page costs no
    /// call of the system, but counts as memory of the process once for each connection that touched it.
    pub(super) fn new(place: Place, dialect: Arc<Dialect>, slots: usize, map: i64) -> Self {
        let slots: Vec<_> = (0..slots.max(1)).map(|_| Mutex::new(None)).collect();
        let map = map / i64::try_from(slots.len()).unwrap_or(i64::MAX);
        Self { place, dialect, slots, map, closed: AtomicBool::new(false) }
    }

    /// Runs the queries on this thread, on one snapshot if they are more than one.
    pub(super) fn read(&self, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut slot = self.slot();
        if self.closed.load(Ordering::Acquire) {
            return Err(super::closed());
        }
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(self.place.open_reading(self.map)?),
        };
        let outcome = self.run(connection, queries);
        // A connection that met trouble, or is still inside a transaction, is not used again.
        if outcome.is_err() || !connection.is_autocommit() {
            *slot = None;
        }
        outcome
    }

    fn run(&self, connection: &Connection, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        let one = |q: &Query| {
            if q.matches_nothing() {
                return Ok(Vec::new());
            }
            query(connection, &self.dialect.text(&q.sql), &q.args).map_err(failure)
        };
        if let [only] = queries {
            return Ok(vec![one(only)?]);
        }
        query(connection, "BEGIN", &[]).map_err(failure)?;
        let rows = queries.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        query(connection, "COMMIT", &[]).map_err(failure)?;
        Ok(rows)
    }

    /// A free slot, or the thread's own once it is free. A panic inside leaves nothing half done in a slot.
    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        let own = seat() % self.slots.len();
        let (before, after) = self.slots.split_at(own);
        for slot in after.iter().chain(before) {
            match slot.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[own].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all connections and refuses to open new ones.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for slot in &self.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

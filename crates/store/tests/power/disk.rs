//! A disk in memory that forgets what was not synced.
//!
//! Programs see every write at once, as through a page cache. What is on the medium is kept apart: a write waits there until
//! a sync of its file, a change of the folder until a sync of the folder. When the power is cut, each sector of each waiting
//! write is kept, dropped or torn by chance, whatever was written before or after it; so writes are also reordered, within a
//! file and between files. What was synced is kept, always.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::chance::Chance;

/// What is written whole or not at all by real disks; ours tear even these.
const SECTOR: usize = 512;

/// Which syncs the disk obeys. The others it only says it has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    Kept,
    Ignored,
    IgnoredForLog,
    IgnoredForFile,
}

/// When the power is cut: at a change (a write, a cut in length, a sync, a name gone), or at a sync, which is when everybody
/// waits for the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    Changes(u64),
    Syncs(u64),
}

/// The power is off, or was cut since the file was opened.
#[derive(Debug)]
pub(crate) struct Off;

type FileId = usize;

/// A change of a file that is not on the medium yet.
enum Waiting {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Default)]
struct File {
    /// What programs see.
    seen: Vec<u8>,
    /// What is on the medium.
    lasting: Vec<u8>,
    waiting: Vec<Waiting>,
    locks: Locks,
    shared: Weak<Shared>,
}

/// SQLite's locks on a file, by handle.
#[derive(Default)]
struct Locks {
    shared: HashSet<u64>,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
}

/// How strongly a handle has locked its file, in SQLite's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Shared,
    Reserved,
    Exclusive,
}

/// Memory that the connections to a database share: the index of its log, and eight locks. It is gone with the last of them,
/// and with the power.
#[derive(Default)]
pub(crate) struct Shared {
    regions: Mutex<Vec<Box<[AtomicU64]>>>,
    slots: Mutex<[Slot; 8]>,
}

#[derive(Default)]
struct Slot {
    shared: HashSet<u64>,
    exclusive: Option<u64>,
}

struct State {
    chance: Chance,
    on: bool,
    /// How often the power came on. What was opened in an earlier life is of no use.
    life: u64,
    /// When the power will be cut.
    due: Option<Due>,
    files: Vec<File>,
    /// The folder as programs see it.
    seen: HashMap<String, FileId>,
    /// The folder on the medium.
    lasting: HashMap<String, FileId>,
    /// Changes of the folder that are not on the medium yet, in order; a file system keeps their order.
    waiting: Vec<(String, Option<FileId>)>,
    handles: u64,
    cuts: u64,
    synced: u64,
    lost: u64,
}

/// The disk. It has one folder.
pub(crate) struct Disk {
    state: Mutex<State>,
    syncs: Syncs,
}

/// A file that somebody has open.
pub(crate) struct Handle {
    disk: Arc<Disk>,
    file: FileId,
    life: u64,
    number: u64,
    /// Whether the next sync is also one of the folder.
    sync_folder: bool,
    is_log: bool,
    shared: Option<Arc<Shared>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(crate) fn new(syncs: Syncs, chance: Chance) -> Arc<Self> {
        let state = State {
            chance,
            on: true,
            life: 0,
            due: None,
            files: Vec::new(),
            seen: HashMap::new(),
            lasting: HashMap::new(),
            waiting: Vec::new(),
            handles: 0,
            cuts: 0,
            synced: 0,
            lost: 0,
        };
        Arc::new(Self { state: Mutex::new(state), syncs })
    }

    /// Cuts the power when this is due.
    pub(crate) fn cut_after(&self, due: Due) {
        lock(&self.state).due = Some(due);
    }

    /// Cuts the power now, if it is on.
    pub(crate) fn cut(&self) {
        lock(&self.state).cut();
    }

    pub(crate) fn is_on(&self) -> bool {
        lock(&self.state).on
    }

    /// Gives power again: programs see what is on the medium.
    pub(crate) fn power_on(&self) {
        let mut state = lock(&self.state);
        state.on = true;
        state.life += 1;
        state.due = None;
        state.seen = state.lasting.clone();
        for file in &mut state.files {
            let seen = file.lasting.clone();
            *file = File { lasting: std::mem::take(&mut file.lasting), seen, ..File::default() };
        }
    }

    /// How often the power was cut, how many syncs were obeyed, and how many sectors were lost or torn.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let state = lock(&self.state);
        (state.cuts, state.synced, state.lost)
    }

    /// Opens a file, and makes it if it is missing. `journal` is for logs and journals: the first sync by each handle is one
    /// of the folder too, as with SQLite's own file system.
    pub(crate) fn open(self: &Arc<Self>, name: &str, journal: bool, is_log: bool) -> Result<Handle, Off> {
        let mut state = lock(&self.state);
        if !state.on {
            return Err(Off);
        }
        let file = match state.seen.get(name) {
            Some(file) => *file,
            None => {
                let file = state.files.len();
                state.files.push(File::default());
                state.seen.insert(name.to_owned(), file);
                state.waiting.push((name.to_owned(), Some(file)));
                file
            }
        };
        state.handles += 1;
        let (life, number) = (state.life, state.handles);
        Ok(Handle { disk: Arc::clone(self), file, life, number, sync_folder: journal, is_log, shared: None })
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        lock(&self.state).seen.contains_key(name)
    }

    /// Removes a name; with `sync`, also from the medium. False if it is not there.
    pub(crate) fn delete(&self, name: &str, sync: bool) -> Result<bool, Off> {
        let mut state = lock(&self.state);
        state.change(false)?;
        if state.seen.remove(name).is_none() {
            return Ok(false);
        }
        state.waiting.push((name.to_owned(), None));
        if sync && self.syncs == Syncs::Kept {
            state.sync_folder();
        }
        Ok(true)
    }
}

impl State {
    /// Counts a change, and fails if it is the one at which the power goes.
    fn change(&mut self, sync: bool) -> Result<(), Off> {
        if !self.on {
            return Err(Off);
        }
        match &mut self.due {
            Some(Due::Changes(left)) if *left > 0 => *left -= 1,
            Some(Due::Syncs(left)) if *left > 0 => *left -= u64::from(sync),
            Some(Due::Syncs(_)) if !sync => {}
            Some(_) => {
                self.cut();
                return Err(Off);
            }
            None => {}
        }
        Ok(())
    }

    fn sync_folder(&mut self) {
        self.lasting = self.seen.clone();
        self.waiting.clear();
        self.synced += 1;
    }

    fn cut(&mut self) {
        if !self.on {
            return;
        }
        self.on = false;
        self.cuts += 1;
        let kept = self.chance.index(self.waiting.len() + 1);
        for (name, file) in self.waiting.drain(..).take(kept) {
            match file {
                Some(file) => self.lasting.insert(name, file),
                None => self.lasting.remove(&name),
            };
        }
        // From nearly everything to nothing, so that all kinds of remains are met.
        let fate = Fate { kept: [0, 10, 50, 90, 100][self.chance.index(5)], torn: [0, 5, 50][self.chance.index(3)] };
        for file in &mut self.files {
            self.lost += file.settle(fate, &mut self.chance);
        }
    }
}

/// What becomes of sectors that wait when the power is cut, in percent. What is neither kept nor torn is dropped.
#[derive(Clone, Copy)]
struct Fate {
    kept: u64,
    torn: u64,
}

impl File {
    fn sync(&mut self) {
        for waiting in self.waiting.drain(..) {
            match waiting {
                Waiting::Write { at, bytes } => put(&mut self.lasting, at, &bytes),
                Waiting::Length(length) => self.lasting.resize(length, 0),
            }
        }
    }

    /// Moves to the medium what chance lets through. Gives the number of sectors that were lost or torn.
    fn settle(&mut self, fate: Fate, chance: &mut Chance) -> u64 {
        let mut lost = 0;
        for waiting in self.waiting.drain(..) {
            match waiting {
                Waiting::Length(length) if chance.percent(fate.kept) => self.lasting.resize(length, 0),
                Waiting::Length(_) => {}
                Waiting::Write { at, bytes } => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
                        let whole = chance.percent(fate.kept);
                        lost += u64::from(!whole);
                        if whole {
                            put(&mut self.lasting, at + from, &bytes[from..to]);
                        } else if chance.percent(fate.torn) {
                            let end = from + chance.index(to - from);
                            put(&mut self.lasting, at + from, &bytes[from..end]);
                        }
                        from = to;
                    }
                }
            }
        }
        lost
    }
}

/// Writes into a file, which grows as needed.
fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

impl Handle {
    fn state(&self) -> Result<MutexGuard<'_, State>, Off> {
        let state = lock(&self.disk.state);
        if state.on && state.life == self.life { Ok(state) } else { Err(Off) }
    }

    /// Reads; gives how many bytes there were.
    pub(crate) fn read(&self, at: usize, into: &mut [u8]) -> Result<usize, Off> {
        let state = self.state()?;
        let there = state.files[self.file].seen.get(at..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Off> {
        let mut state = self.state()?;
        let file = &mut state.files[self.file];
        put(&mut file.seen, at, bytes);
        // Before the power may be cut: the write that was going on is lost, kept or torn like all others.
        file.waiting.push(Waiting::Write { at, bytes: bytes.to_vec() });
        state.change(false)
    }

    pub(crate) fn truncate(&self, length: usize) -> Result<(), Off> {
        let mut state = self.state()?;
        let file = &mut state.files[self.file];
        file.seen.resize(length, 0);
        file.waiting.push(Waiting::Length(length));
        state.change(false)
    }

    pub(crate) fn sync(&mut self) -> Result<(), Off> {
        let obeyed = match self.disk.syncs {
            Syncs::Kept => true,
            Syncs::Ignored => false,
            Syncs::IgnoredForLog => !self.is_log,
            Syncs::IgnoredForFile => self.is_log,
        };
        let mut state = self.state()?;
        state.change(true)?;
        if obeyed {
            state.files[self.file].sync();
            state.synced += 1;
            if self.sync_folder {
                state.sync_folder();
            }
        }
        drop(state);
        self.sync_folder &= !obeyed;
        Ok(())
    }

    pub(crate) fn len(&self) -> Result<usize, Off> {
        Ok(self.state()?.files[self.file].seen.len())
    }

    /// Takes a lock; false if others are in the way.
    pub(crate) fn lock(&self, level: Level) -> Result<bool, Off> {
        let mut state = self.state()?;
        let own = self.number;
        let locks = &mut state.files[self.file].locks;
        let others = |holder: Option<u64>| holder.is_some_and(|holder| holder != own);
        Ok(match level {
            Level::None => true,
            Level::Shared if others(locks.pending) || others(locks.exclusive) => false,
            Level::Shared => {
                locks.shared.insert(own);
                true
            }
            Level::Reserved if others(locks.reserved) || others(locks.pending) || others(locks.exclusive) => false,
            Level::Reserved => {
                locks.reserved = Some(own);
                true
            }
            Level::Exclusive if others(locks.reserved) || others(locks.pending) || others(locks.exclusive) => false,
            Level::Exclusive => {
                locks.pending = Some(own);
                let alone = locks.shared.iter().all(|holder| *holder == own);
                if alone {
                    locks.exclusive = Some(own);
                }
                alone
            }
        })
    }

    /// Goes back to a weaker lock. Without power there is nothing to give back.
    pub(crate) fn unlock(&self, level: Level) {
        let Ok(mut state) = self.state() else { return };
        let locks = &mut state.files[self.file].locks;
        for stronger in [&mut locks.reserved, &mut locks.pending, &mut locks.exclusive] {
            stronger.take_if(|holder| *holder == self.number);
        }
        if level == Level::None {
            locks.shared.remove(&self.number);
        }
    }

    pub(crate) fn is_reserved(&self) -> Result<bool, Off> {
        let state = self.state()?;
        let locks = &state.files[self.file].locks;
        Ok(locks.reserved.or(locks.pending).or(locks.exclusive).is_some())
    }

    /// A region of the shared memory, made if that is wanted. It stays where it is until this handle lets go.
    pub(crate) fn region(&mut self, number: usize, size: usize, make: bool) -> Result<Option<*mut std::ffi::c_void>, Off> {
        if self.shared.is_none() {
            let mut state = self.state()?;
            let slot = &mut state.files[self.file].shared;
            let shared = slot.upgrade().unwrap_or_default();
            *slot = Arc::downgrade(&shared);
            drop(state);
            self.shared = Some(shared);
        }
        let Some(shared) = &self.shared else { return Ok(None) };
        let mut regions = lock(&shared.regions);
        while make && regions.len() <= number {
            regions.push((0..size.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        Ok(regions.get(number).map(|region| region.as_ptr().cast_mut().cast()))
    }

    /// Takes or gives back locks of the shared memory; false if others are in the way.
    pub(crate) fn shared_lock(&self, slots: std::ops::Range<usize>, take: bool, exclusive: bool) -> Result<bool, Off> {
        let Some(shared) = &self.shared else { return Ok(false) };
        if take {
            // Whoever works on without power shall find out soon.
            drop(self.state()?);
        }
        let own = self.number;
        let mut all = lock(&shared.slots);
        let wanted = all.get_mut(slots).unwrap_or_default();
        let in_the_way = |slot: &Slot| {
            slot.exclusive.is_some_and(|holder| holder != own) || exclusive && slot.shared.iter().any(|holder| *holder != own)
        };
        if take && wanted.iter().any(in_the_way) {
            return Ok(false);
        }
        for slot in wanted {
            match (take, exclusive) {
                (true, true) => slot.exclusive = Some(own),
                (true, false) => drop(slot.shared.insert(own)),
                (false, true) => drop(slot.exclusive.take_if(|holder| *holder == own)),
                (false, false) => drop(slot.shared.remove(&own)),
            }
        }
        Ok(true)
    }

    /// What one connection wrote into the shared memory before this, others see after theirs.
    pub(crate) fn barrier(&self) {
        std::sync::atomic::fence(Ordering::SeqCst);
    }

    pub(crate) fn let_go(&mut self) {
        if let Some(shared) = self.shared.take() {
            for slot in lock(&shared.slots).iter_mut() {
                slot.shared.remove(&self.number);
                slot.exclusive.take_if(|holder| *holder == self.number);
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unlock(Level::None);
        self.let_go();
    }
}

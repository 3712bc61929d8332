//! SQLite's interface to file systems, over [`Disk`]s.
//!
//! This is the one place with `unsafe` code: SQLite calls functions with C pointers. It is registered as the default of this
//! process, so that the store opens its files as it always does. Only folders that were mounted exist. Reading through
//! mapped memory is not offered, so that every read of SQLite passes here.
#![expect(unsafe_code, reason = "SQLite's interface to file systems is one of C")]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, Once, OnceLock, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::{Disk, Handle, Level, Off};

static FOLDERS: LazyLock<Mutex<HashMap<PathBuf, Arc<Disk>>>> = LazyLock::new(Mutex::default);

/// Puts a disk into the place of a folder.
pub(crate) fn mount(folder: &Path, disk: &Arc<Disk>) {
    register();
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned(), Arc::clone(disk));
}

/// Takes it away again.
pub(crate) fn unmount(folder: &Path) {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
}

/// The disk of a file, and the file's name in it.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn find(name: *const c_char) -> Option<(Arc<Disk>, String)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: it is a C string, says the caller.
    let path = Path::new(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    let disk = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).get(path.parent()?).map(Arc::clone)?;
    Some((disk, path.file_name()?.to_str()?.to_owned()))
}

/// What SQLite takes for a file: its own part first, as it demands, then ours.
#[repr(C)]
struct File {
    base: sqlite3_file,
    handle: *mut Handle,
}

/// The handle of an open file.
///
/// # Safety
/// `file` was opened by [`open`] and is not closed; SQLite uses a file from one thread at a time.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: SQLite gave `open` room for a `File`, and `open` put a handle into it that `close` takes out.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

fn code(outcome: Result<(), Off>, trouble: c_int) -> c_int {
    if outcome.is_ok() { ffi::SQLITE_OK } else { trouble }
}

fn busy(outcome: Result<bool, Off>, trouble: c_int) -> c_int {
    match outcome {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(Off) => trouble,
    }
}

fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

/// The file system that SQLite had before: it knows the time, and how to wait.
fn system() -> *mut sqlite3_vfs {
    static SYSTEM: OnceLock<usize> = OnceLock::new();
    // SAFETY: asking for the default has no conditions, and what it gives lives as long as the process.
    *SYSTEM.get_or_init(|| unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) } as usize) as *mut sqlite3_vfs
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let system = system();
        assert!(!system.is_null(), "SQLite has a default file system");
        let vfs = Box::leak(Box::new(sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<File>() as c_int,
            mxPathname: 1024,
            pNext: std::ptr::null_mut(),
            zName: c"forgetful".as_ptr(),
            pAppData: std::ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the structure is complete and lives as long as the process.
        let registered = unsafe { ffi::sqlite3_vfs_register(vfs, 1) };
        assert_eq!(registered, ffi::SQLITE_OK, "the file system is registered");
    });
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // With shared memory, without mapped files.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

// SAFETY, for all that follow: SQLite calls them as its documentation of `sqlite3_vfs` and `sqlite3_io_methods` says. Names
// are C strings, files were opened by `open`, out pointers are good, buffers are as long as is said.

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: see above. Without methods SQLite does not close a file that was not opened.
    unsafe { (*file).pMethods = std::ptr::null() };
    // SAFETY: see above. Temporary files have no name: nothing here needs them.
    let Some((disk, name)) = (unsafe { find(name) }) else { return ffi::SQLITE_CANTOPEN };
    let makes = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let journal = makes && flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
    // The store makes its file itself, in the real folder; this disk makes it when SQLite first opens it.
    let makes = makes || flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
    if !makes && !disk.exists(&name) {
        return ffi::SQLITE_CANTOPEN;
    }
    let Ok(handle) = disk.open(&name, journal, flags & ffi::SQLITE_OPEN_WAL != 0) else { return ffi::SQLITE_IOERR };
    // SAFETY: see above; there is room for a `File`.
    unsafe {
        (*file.cast::<File>()).handle = Box::into_raw(Box::new(handle));
        (*file).pMethods = &METHODS;
        if !out.is_null() {
            *out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: see above; the box was made by `open`, and SQLite does not use the file any more.
    drop(unsafe { Box::from_raw((*file.cast::<File>()).handle) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, at: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let (handle, into) = unsafe { (handle(file), std::slice::from_raw_parts_mut(into.cast::<u8>(), size(amount))) };
    match handle.read(size(at), into) {
        Ok(count) if count == into.len() => ffi::SQLITE_OK,
        Ok(count) => {
            into[count..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(Off) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let (handle, from) = unsafe { (handle(file), std::slice::from_raw_parts(from.cast::<u8>(), size(amount))) };
    code(handle.write(size(at), from), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see above.
    code(unsafe { handle(file) }.truncate(size(length)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: see above.
    code(unsafe { handle(file) }.sync(), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: see above.
    let length = unsafe { handle(file) }.len();
    let length = length.map(|length| length as ffi::sqlite3_int64);
    // SAFETY: see above.
    code(length.map(|length| unsafe { *out = length }), ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    let level = match level {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        _ => Level::Exclusive,
    };
    // SAFETY: see above.
    busy(unsafe { handle(file) }.lock(level), ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    let level = if level == ffi::SQLITE_LOCK_NONE { Level::None } else { Level::Shared };
    // SAFETY: see above.
    unsafe { handle(file) }.unlock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: see above.
    let reserved = unsafe { handle(file) }.is_reserved();
    // SAFETY: see above.
    code(reserved.map(|reserved| unsafe { *out = c_int::from(reserved) }), ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
}

/// Asked how much of the file may be mapped, it says: nothing.
unsafe extern "C" fn file_control(_: *mut sqlite3_file, what: c_int, out: *mut c_void) -> c_int {
    if what != ffi::SQLITE_FCNTL_MMAP_SIZE {
        return ffi::SQLITE_NOTFOUND;
    }
    // SAFETY: see above; for this question it is a number of 64 bits.
    unsafe { *out.cast::<ffi::sqlite3_int64>() = 0 };
    ffi::SQLITE_OK
}

/// As SQLite's own file system says on this platform. The disk tears smaller parts than that.
unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

/// As SQLite's own file system says on this platform: a write that is cut short harms nothing beside what it writes.
unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: see above.
    let mapped = unsafe { handle(file) }.region(size(region), size(bytes), extend != 0);
    // SAFETY: see above.
    code(mapped.map(|place| unsafe { *out = place.unwrap_or(std::ptr::null_mut()) }), ffi::SQLITE_IOERR_SHMMAP)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    let slots = size(offset)..size(offset) + size(count);
    let (take, exclusive) = (flags & ffi::SQLITE_SHM_LOCK != 0, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0);
    // SAFETY: see above.
    busy(unsafe { handle(file) }.shared_lock(slots, take, exclusive), ffi::SQLITE_IOERR_SHMLOCK)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: see above.
    unsafe { handle(file) }.barrier();
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: see above.
    unsafe { handle(file) }.let_go();
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: see above.
    let Some((disk, name)) = (unsafe { find(name) }) else { return ffi::SQLITE_IOERR_DELETE_NOENT };
    match disk.delete(&name, sync != 0) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(Off) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    // SAFETY: see above.
    let there = unsafe { find(name) }.is_some_and(|(disk, name)| disk.exists(&name));
    // SAFETY: see above.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

/// Names are whole already.
unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: see above.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > size(room) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: there is room, as was just seen.
    unsafe { std::ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    // SAFETY: the call is passed on as it came, to whom it was meant for.
    unsafe { (*system()).xRandomness.map_or(0, |f| f(system(), count, out)) }
}

unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: as in `randomness`.
    unsafe { (*system()).xSleep.map_or(0, |f| f(system(), microseconds)) }
}

unsafe extern "C" fn current_time(_: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: as in `randomness`.
    unsafe { (*system()).xCurrentTime.map_or(ffi::SQLITE_ERROR, |f| f(system(), out)) }
}

unsafe extern "C" fn current_time_int64(_: *mut sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: as in `randomness`.
    unsafe { (*system()).xCurrentTimeInt64.map_or(ffi::SQLITE_ERROR, |f| f(system(), out)) }
}

unsafe extern "C" fn last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

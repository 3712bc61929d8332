//! Tests of the configuration as a whole, by what an operator writes.

mod defaults;
mod environment;
mod files;
mod first_run;
mod refusals;
mod reload;
mod sections;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_model::clock::Rng;
use serde_json::{Value, json};

use super::{Config, ConfigErrors, Loaded, Sources, load};

/// A folder that is deleted afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("portcullis-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes that look random and are the same each time.
struct Counting(AtomicU32);

impl From<u32> for Counting {
    fn from(start: u32) -> Self {
        Self(AtomicU32::new(start))
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self::from(0)
    }
}

impl Rng for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let [_, _, high, _] = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761).to_le_bytes();
            *byte = high;
        }
    }
}

/// The least that a configuration needs.
fn least() -> Value {
    json!({
        "dsn": "memory",
        "identity": {"schemas": [{"id": "default", "url": "file:///etc/person.schema.json"}]},
        "selfservice": {"default_browser_return_url": "https://www.example.org/"},
        "secrets": {"cookie": ["a-secret-for-the-tests"]},
    })
}

/// `over` laid on `base`: mappings join, the rest replaces.
fn merged(mut base: Value, over: Value) -> Value {
    match (&mut base, over) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                let below = below.entry(key).or_insert(Value::Null);
                *below = merged(below.take(), value);
            }
            base
        }
        (_, over) => over,
    }
}

fn loaded(over: Value) -> Loaded {
    super::from_value(merged(least(), over)).unwrap_or_else(|e| panic!("{e}"))
}

fn config(over: Value) -> Config {
    loaded(over).config
}

fn sources(files: &[&Path], environment: &[(&str, &str)]) -> Sources {
    Sources {
        files: files.iter().map(|f| (*f).to_owned()).collect(),
        environment: environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ..Sources::default()
    }
}

fn load_with(over: Value, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let folder = Folder::new();
    let file = folder.write("config.json", merged(least(), over).to_string());
    load(&sources(&[&file], environment)).map(|l| l.config)
}

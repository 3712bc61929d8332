//! What the courier needs of the application, and nothing else of it: so it can be tested without all the rest.

use crate::app::Snapshot;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::outbound::Client;

/// One state of the configuration with what was made from it.
pub(super) trait Desk: Send + Sync {
    /// The configuration.
    fn config(&self) -> &Config;
    /// The keys.
    fn keys(&self) -> &Keyring;
    /// Loads templates.
    fn outbound(&self) -> &Client;
}

impl Desk for Snapshot {
    fn config(&self) -> &Config {
        &self.config
    }

    fn keys(&self) -> &Keyring {
        &self.keys
    }

    fn outbound(&self) -> &Client {
        &self.outbound
    }
}

//! `selfservice`: where browsers may go, the flows and the methods.

use serde::Deserialize;

use super::flows::Flows;
use super::methods::Methods;

/// `selfservice`.
#[derive(Clone, Debug, Deserialize)]
pub struct SelfService {
    /// Where browsers go when nothing else says; may be relative.
    pub default_browser_return_url: String,
    /// What `return_to` may lead to, besides the own pages.
    #[serde(default)]
    pub allowed_return_urls: Vec<String>,
    /// The flows.
    pub flows: Flows,
    /// The methods.
    pub methods: Methods,
}

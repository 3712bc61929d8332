//! The one HTTP client, and the one place that reads `file://` and `base64://` sources.
//!
//! Every address is judged before it is connected to, also those that a name resolves to and those that a redirect
//! leads to; the address that was judged is the one connected to. Proxies from the environment are not used. Times and
//! sizes of answers are bounded, and so is how many wait for one service; one that does not answer is left alone for a while.

mod address;
mod call;
mod circuit;
mod client;
mod glob;
mod purpose;
mod service;
mod source;
mod tally;

pub(crate) use address::may_connect;
pub use call::{Call, CallError, told_headers};
pub use circuit::LeftAlone;
pub use client::{Client, OutboundError, Request, Response, Settings, Trust, World};
pub use purpose::Purpose;
pub use service::{Caller, Occasion, Service, ServiceBody, ServiceError};
pub use source::{MAX_SOURCE_LENGTH, SourceError};

pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

//! Documents that the configuration names by URL: identity schemas, Jsonnet, key sets, templates.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use reqwest::Method;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::client::{Client, OutboundError, Request, Trust};
use super::purpose::Purpose;

/// The longest document that is read: 1 MiB.
pub const MAX_SOURCE_LENGTH: usize = 1024 * 1024;

/// Why a document could not be read. The texts do not repeat its address.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither a path nor one of the known schemes.
    #[error("the address begins with none of file://, base64://, http:// and https://")]
    Scheme,
    /// What follows `base64://` is none.
    #[error("what follows base64:// cannot be decoded")]
    Base64,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[source] std::io::Error),
    /// More than [`MAX_SOURCE_LENGTH`].
    #[error("the document is longer than {MAX_SOURCE_LENGTH} bytes")]
    TooLarge,
    /// The server answered with another status than 2xx.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// No answer.
    #[error(transparent)]
    Outbound(OutboundError),
}

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);

impl Client {
    /// Reads the document that an operator's `file://`, `base64://`, `http://` or `https://` address names. A bare path
    /// counts as a file.
    ///
    /// # Errors
    /// If it cannot be read or is longer than 1 MiB.
    pub async fn load(&self, source: &str) -> Result<Bytes, SourceError> {
        if let Some(path) = source.strip_prefix("file://") {
            let path = percent_decode_str(path).decode_utf8().map_or_else(|_| path.into(), std::borrow::Cow::into_owned);
            return file(path.into()).await;
        }
        if let Some(text) = source.strip_prefix("base64://") {
            let decode = |alphabet| GeneralPurpose::new(alphabet, CONFIG).decode(text).ok();
            let bytes = decode(&STANDARD).or_else(|| decode(&URL_SAFE)).ok_or(SourceError::Base64)?;
            return if bytes.len() > MAX_SOURCE_LENGTH { Err(SourceError::TooLarge) } else { Ok(bytes.into()) };
        }
        if source.starts_with("http://") || source.starts_with("https://") {
            let url = Url::parse(source).map_err(|_| SourceError::Outbound(OutboundError::Url))?;
            let mut request = Request::new(Method::GET, url, Trust::Operator);
            request.limit = MAX_SOURCE_LENGTH;
            let answer = self.ask(Purpose::Document, request).await.map_err(|error| match error {
                OutboundError::TooLarge { .. } => SourceError::TooLarge,
                other => SourceError::Outbound(other),
            })?;
            return if answer.is_success() { Ok(answer.body) } else { Err(SourceError::Status(answer.status)) };
        }
        if source.is_empty() || source.contains("://") {
            return Err(SourceError::Scheme);
        }
        file(source.into()).await
    }

    /// [`load`](Self::load), but what came over HTTP at most `max_age` ago is not asked for again. Files are always read,
    /// so that edits count at once.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_cached(&self, source: &str, max_age: Duration) -> Result<Bytes, SourceError> {
        if !source.starts_with("http") {
            return self.load(source).await;
        }
        if let Some((since, bytes)) = self.cached.get(source)
            && since.elapsed() < max_age
        {
            return Ok(bytes);
        }
        let bytes = self.load(source).await?;
        self.cached.insert(source.to_owned(), (Instant::now(), bytes.clone()));
        Ok(bytes)
    }
}

async fn file(path: PathBuf) -> Result<Bytes, SourceError> {
    let file = tokio::fs::File::open(path).await.map_err(SourceError::File)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_SOURCE_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).await.map_err(SourceError::File)?;
    if bytes.len() > MAX_SOURCE_LENGTH { Err(SourceError::TooLarge) } else { Ok(bytes.into()) }
}

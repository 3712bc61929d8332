//! The admin API of a running server, as commands call it.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::config::BaseUrl;
use portcullis_core::crypto::random::SystemClock;
use portcullis_core::outbound::{Client, HeaderValue, Method, OutboundError, Request, Settings, Trust};
use portcullis_model::json;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use super::Failure;

/// The variable that names the admin port.
const VARIABLE: &str = "KRATOS_ADMIN_URL";

/// The longest answer that is read, in bytes: a page of 500 large identities fits.
const LIMIT: usize = 256 << 20;

/// How long one request may take. Importing a password waits for its hash.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the server is.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Endpoint {
    /// The address of the admin port, such as http://127.0.0.1:4434 [env: KRATOS_ADMIN_URL]
    #[arg(short, long, value_name = "URL")]
    endpoint: Option<String>,
}

/// A server's admin API.
pub(super) struct Admin {
    client: Client,
    runtime: Runtime,
    base: BaseUrl,
}

/// An answer with a status of success.
pub(super) struct Answer {
    /// The body; null if there is none.
    pub(super) value: Value,
    /// The headers `Link`, each as it came.
    pub(super) links: Vec<String>,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no usable answer.
    #[error("the server at {0} cannot be reached: {1}")]
    Unreachable(String, OutboundError),
    /// The server refused.
    #[error("{0}")]
    Refused(String),
    /// The answer is not what the API gives: something else listens there.
    #[error("what answers at {0} is not the admin API: {1}")]
    Strange(String, String),
}

impl Endpoint {
    /// The API at the named address.
    pub(super) fn open(&self) -> Result<Admin, Failure> {
        let named = self.endpoint.clone().or_else(|| std::env::var(VARIABLE).ok()).filter(|url| !url.trim().is_empty());
        let Some(named) = named else {
            return Err(Failure::Said(format!("name the admin port of the server with --endpoint URL or {VARIABLE}")));
        };
        let wrong =
            || Failure::Said("the endpoint must be an http or https URL without query, such as http://127.0.0.1:4434".to_owned());
        let base = BaseUrl::parse(named.trim()).ok_or_else(wrong)?;
        super::install_tls();
        let client =
            Client::new(Settings { timeout: PATIENCE, ..Settings::default() }, Arc::new(SystemClock)).map_err(Failure::of)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
        Ok(Admin { client, runtime, base })
    }
}

impl Admin {
    /// `GET`s a path, which may bring a query.
    pub(super) fn get(&self, path: &str) -> Result<Answer, CallError> {
        self.call(Method::GET, path, None, PATIENCE)
    }

    /// As [`Self::get`], with a time limit of its own.
    pub(super) fn get_within(&self, path: &str, patience: Duration) -> Result<Answer, CallError> {
        self.call(Method::GET, path, None, patience)
    }

    /// `DELETE`s a path.
    pub(super) fn delete(&self, path: &str) -> Result<Answer, CallError> {
        self.call(Method::DELETE, path, None, PATIENCE)
    }

    /// `POST`s JSON to a path.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, CallError> {
        self.call(Method::POST, path, Some(body), PATIENCE)
    }

    /// `PATCH`es JSON to a path.
    pub(super) fn patch(&self, path: &str, body: &Value) -> Result<Answer, CallError> {
        self.call(Method::PATCH, path, Some(body), PATIENCE)
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>, patience: Duration) -> Result<Answer, CallError> {
        let mut request = Request::new(method, self.base.join(path), Trust::Operator);
        request.limit = LIMIT;
        request.timeout = Some(patience);
        request.headers.insert("accept", HeaderValue::from_static("application/json"));
        if let Some(body) = body {
            request.headers.insert("content-type", HeaderValue::from_static("application/json"));
            request.body = body.to_string().into();
        }
        let at = || self.shown();
        let answer = self.runtime.block_on(self.client.send(request)).map_err(|e| CallError::Unreachable(at(), e))?;
        let value = if answer.body.is_empty() { Ok(Value::Null) } else { json::parse(&answer.body) };
        if !answer.is_success() {
            return Err(CallError::Refused(refusal(answer.status, value.ok().as_ref())));
        }
        let links = answer.headers.get_all("link").iter().filter_map(|v| v.to_str().ok()).map(str::to_owned).collect();
        let value = value.map_err(|_| CallError::Strange(at(), "it does not answer in JSON".to_owned()))?;
        Ok(Answer { value, links })
    }

    /// The address without what may be a password.
    fn shown(&self) -> String {
        let mut url: Url = self.base.url().clone();
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return "the endpoint".to_owned();
        }
        url.to_string()
    }
}

/// A refusal in words: the status, and the reason that the server gave.
fn refusal(status: u16, body: Option<&Value>) -> String {
    let name = http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
    let said = |key: &str| body.and_then(|b| b.get("error")).and_then(|e| e.get(key)).and_then(Value::as_str);
    let head = format!("{status} {name}");
    match said("reason").filter(|r| !r.is_empty()).or_else(|| said("message")) {
        Some(reason) => format!("{}: {reason}", head.trim_end()),
        None => head.trim_end().to_owned(),
    }
}

/// One segment of a path, with everything escaped that could end it.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_name_status_and_reason() {
        let body = json!({"error": {"code": 404, "status": "Not Found", "reason": "There is none.", "message": "short"}});
        for (status, body, expected) in [
            (404, Some(body), "404 Not Found: There is none."),
            (400, Some(json!({"error": {"reason": "", "message": "short"}})), "400 Bad Request: short"),
            (502, Some(json!("?")), "502 Bad Gateway"),
            (599, None, "599"),
        ] {
            assert_eq!(refusal(status, body.as_ref()), expected);
        }
    }

    #[test]
    fn segments_hold_together() {
        assert_eq!(segment("a/b?c#d e.ü"), "a%2Fb%3Fc%23d%20e%2E%C3%BC");
    }
}

//! Calls that the configuration describes: its method, headers, credentials and body in one request.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Request, Trust};
use crate::config::clients::{ApiKeyPlace, Headers, HttpAuth};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A configured call. The configuration's texts may hold credentials: nothing here shows them.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The address that is called.
    pub url: &'c str,
    /// The method.
    pub method: &'c str,
    /// Headers.
    pub headers: &'c Headers,
    /// How the call proves itself.
    pub auth: Option<&'c HttpAuth>,
}

/// Why a configured call cannot be made. The texts repeat nothing of the configuration but names of headers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No absolute URL.
    #[error("its URL is no absolute http or https URL")]
    Url,
    /// No method.
    #[error("its method is none")]
    Method,
    /// A name or value that cannot stand in a request.
    #[error("its header {0:?} cannot be sent")]
    Header(String),
    /// Credentials that cannot stand in a request.
    #[error("its credentials cannot be sent")]
    Auth,
    /// A body that is no flat mapping of texts, where a form is to be sent.
    #[error("its body is no mapping of texts, as forms are")]
    Form,
}

impl Call<'_> {
    /// The request with a body: as a form if the configured content type says so, else as JSON. `TRACE` has none.
    ///
    /// # Errors
    /// If the configuration or the body cannot be sent.
    pub fn request(&self, body: &Value) -> Result<Request, CallError> {
        let mut request = self.request_without_body()?;
        if request.method != Method::TRACE {
            request.body = self.body(&request.headers, body)?;
            request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(JSON));
        }
        Ok(request)
    }

    /// The request without a body.
    ///
    /// # Errors
    /// If the configuration cannot be sent.
    pub fn request_without_body(&self) -> Result<Request, CallError> {
        let url = Url::parse(self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(CallError::Url)?;
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes()).map_err(|_| CallError::Method)?;
        let mut request = Request::new(method, url, Trust::Operator);
        for (name, value) in self.headers {
            let refused = || CallError::Header(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| refused())?;
            value.set_sensitive(true);
            request.headers.insert(header, value);
        }
        if let Some(auth) = self.auth {
            prove(&mut request.headers, auth)?;
        }
        Ok(request)
    }

    /// Whether the configured content type is that of forms.
    #[must_use]
    pub fn sends_form(&self) -> bool {
        let content_type = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        content_type.is_some_and(|(_, value)| is_form(value.expose()))
    }

    fn body(&self, headers: &HeaderMap, body: &Value) -> Result<Bytes, CallError> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !is_form(media_type) {
            return Ok(body.to_string().into());
        }
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for (name, value) in body.as_object().ok_or(CallError::Form)? {
            fields.push((name, value.as_str().ok_or(CallError::Form)?));
        }
        fields.sort_unstable();
        Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into())
    }
}

fn is_form(media_type: &str) -> bool {
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
}

fn prove(headers: &mut HeaderMap, auth: &HttpAuth) -> Result<(), CallError> {
    let (name, text) = match auth {
        // RFC 7617, section 2.
        HttpAuth::BasicAuth { user, password } => {
            (AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
        }
        HttpAuth::ApiKey { name, value, place: ApiKeyPlace::Header } => {
            (HeaderName::from_bytes(name.as_bytes()).map_err(|_| CallError::Auth)?, value.expose().to_owned())
        }
        HttpAuth::ApiKey { name, value, place: ApiKeyPlace::Cookie } => {
            let others = headers.get(COOKIE).and_then(|v| v.to_str().ok()).map(|v| format!("{v}; ")).unwrap_or_default();
            (COOKIE, format!("{others}{name}={}", value.expose()))
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| CallError::Auth)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Those headers of a client's request that may be told to others, by canonical name, each with the list of its values.
/// `allowed` are names in any case.
#[must_use]
pub fn told_headers(headers: &[(String, String)], allowed: &[String]) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in headers.iter().filter(|(name, _)| allowed.iter().any(|a| a.eq_ignore_ascii_case(name))) {
        if let Value::Array(values) = told.entry(canonical(name)).or_insert_with(|| Value::Array(Vec::new())) {
            values.push(value.as_str().into());
        }
    }
    told
}

/// A header's name with each word capitalised: `User-Agent`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase())
    };
    name.split('-').map(|w| word(w).unwrap_or_default()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Secret;

    fn headers(of: &[(&str, &str)]) -> Headers {
        of.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(*v))).collect()
    }

    fn request(method: &str, with: &[(&str, &str)], auth: Option<&HttpAuth>, body: &Value) -> Result<Request, CallError> {
        Call { url: "https://sms.example.org/send", method, headers: &headers(with), auth }.request(body)
    }

    fn header(request: &Request, name: &str) -> Option<String> {
        Some(request.headers.get(name)?.to_str().ok()?.to_owned())
    }

    #[test]
    fn bodies_are_json_or_forms_as_the_content_type_says() {
        let body = json!({ "to": "+49 1", "body": "a&b" });
        let plain = request("post", &[], None, &body).expect("a request");
        assert_eq!((plain.method.as_str(), header(&plain, "content-type").as_deref()), ("POST", Some("application/json")));
        assert_eq!(plain.body, body.to_string());
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        assert_eq!(request("PUT", &form, None, &body).expect("a request").body, "body=a%26b&to=%2B49+1");
        for bad in [json!([1]), json!({ "a": 1 }), json!({ "a": { "b": "c" } }), json!("a=b")] {
            assert_eq!(request("PUT", &form, None, &bad).err(), Some(CallError::Form), "{bad}");
        }
        assert!(request("TRACE", &[], None, &body).expect("a request").body.is_empty());
    }

    #[test]
    fn credentials_are_headers_or_cookies_and_not_shown() {
        let key = |place| HttpAuth::ApiKey { name: "X-Key".into(), value: Secret::new("sesame"), place };
        let basic = HttpAuth::BasicAuth { user: "desk".into(), password: Secret::new("sesame") };
        for (auth, with, name, value) in [
            (key(ApiKeyPlace::Header), vec![], "x-key", "sesame"),
            (key(ApiKeyPlace::Cookie), vec![], "cookie", "X-Key=sesame"),
            (key(ApiKeyPlace::Cookie), vec![("Cookie", "a=b")], "cookie", "a=b; X-Key=sesame"),
            (basic, vec![], "authorization", "Basic ZGVzazpzZXNhbWU="),
        ] {
            let request = request("POST", &with, Some(&auth), &json!({})).expect("a request");
            assert_eq!(header(&request, name).as_deref(), Some(value));
            assert!(!format!("{request:?}").contains("sesame"), "{request:?}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_repeating_it() {
        for (method, with) in [("PO ST", ("X-A", "b")), ("", ("X-A", "b")), ("POST", ("X A", "b")), ("POST", ("X-A", "se\ncret"))]
        {
            let refusal = request(method, &[with], None, &json!({})).expect_err("refused");
            assert!(!refusal.to_string().contains("cret"), "{refusal}");
        }
        let none = headers(&[]);
        for url in ["", "/send", "ftp://a.example", "sms.example.org"] {
            let refusal = Call { url, method: "POST", headers: &none, auth: None }.request(&json!({})).err();
            assert_eq!(refusal, Some(CallError::Url), "{url}");
        }
    }

    #[test]
    fn only_allowed_headers_are_told() {
        let sent = [("user-agent", "a"), ("cookie", "c"), ("x-mine", "1"), ("x-mine", "2"), ("sec-ch-ua", "b")];
        let sent: Vec<_> = sent.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let allowed = ["User-Agent", "X-MINE", "Sec-Ch-Ua", "Origin"].map(str::to_owned);
        let told = Value::Object(told_headers(&sent, &allowed));
        assert_eq!(told, json!({ "User-Agent": ["a"], "X-Mine": ["1", "2"], "Sec-Ch-Ua": ["b"] }));
    }
}

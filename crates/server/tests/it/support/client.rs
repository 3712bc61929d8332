//! Clients: each is one kind of user agent. None follows redirects: where one leads is for the test to see.

use std::collections::BTreeMap;

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::Value;

use super::{Answer, TestApp};

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Cookies by name.
#[derive(Clone, Default)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// The value of a cookie whose name begins so.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k.starts_with(name)).map(|(_, v)| v.as_str())
    }

    /// The cookie whose name begins so, as a request sends it.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(k, _)| k.starts_with(name)).map(|(k, v)| format!("{k}={v}"))
    }

    /// Puts a cookie in.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Throws away every cookie whose name begins so.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|k, _| !k.starts_with(name));
    }

    /// The whole header `Cookie`; none without cookies.
    pub(crate) fn header(&self) -> Option<String> {
        let all: Vec<_> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Does what an answer says of cookies.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for line in answer.cookies() {
            let (name, rest) = line.split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), rest.split(';').next().unwrap_or_default().to_owned());
            }
        }
    }
}

/// One request to be sent.
struct Call<'c> {
    port: Port,
    method: &'c str,
    /// A path, or an address whose origin is left out.
    url: &'c str,
    accept: &'c str,
    content: Option<(&'c str, Bytes)>,
    headers: Vec<(&'c str, String)>,
}

impl Call<'_> {
    async fn send(self, app: &TestApp) -> Answer {
        let path = match url::Url::parse(self.url) {
            Ok(url) => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            Err(_) => self.url.to_owned(),
        };
        let host = if self.port == Port::Public { "127.0.0.1:4433" } else { "127.0.0.1:4434" };
        let mut request =
            http::Request::builder().method(self.method).uri(path).header("host", host).header("accept", self.accept);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut body = Bytes::new();
        if let Some((content_type, content)) = self.content {
            request = request.header("content-type", content_type);
            body = content;
        }
        app.send(self.port, request.body(body).unwrap()).await
    }
}

fn json(body: &Value) -> Option<(&'static str, Bytes)> {
    Some((JSON, body.to_string().into()))
}

/// A person's browser with pages: forms and cookies.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) jar: Jar,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self { app, jar: Jar::default() }
    }

    /// A script in this browser, with the same cookies.
    pub(crate) fn script(&self) -> Spa<'a> {
        Spa { app: self.app, jar: self.jar.clone() }
    }

    /// Goes to a page.
    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.call("GET", url, HTML, None).await
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.call("POST", url, HTML, Some((FORM, body.into()))).await
    }

    /// What a page's own script fetches to fill the page.
    pub(crate) async fn fetch(&mut self, url: &str) -> Answer {
        self.call("GET", url, JSON, None).await
    }

    async fn call(&mut self, method: &str, url: &str, accept: &str, content: Option<(&str, Bytes)>) -> Answer {
        let headers = self.jar.header().map(|c| ("cookie", c)).into_iter().collect();
        let answer = Call { port: Port::Public, method, url, accept, content, headers }.send(self.app).await;
        self.jar.keep(&answer);
        answer
    }
}

/// A script in a browser: JSON and cookies.
#[derive(Clone)]
pub(crate) struct Spa<'a> {
    app: &'a TestApp,
    pub(crate) jar: Jar,
}

impl<'a> Spa<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self { app, jar: Jar::default() }
    }

    /// The browser that this script runs in, with the same cookies.
    pub(crate) fn browser(&self) -> Browser<'a> {
        Browser { app: self.app, jar: self.jar.clone() }
    }

    /// The value of a cookie whose name begins so.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name)
    }

    /// Puts a cookie into the jar.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.jar.set(name, value);
    }

    /// Fetches.
    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.call("GET", url, None).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&mut self, url: &str, body: &Value) -> Answer {
        self.call("POST", url, json(body)).await
    }

    /// Sends a body as it is, with its media type.
    pub(crate) async fn post_raw(&mut self, url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        self.call("POST", url, Some((content_type, body.into()))).await
    }

    async fn call(&mut self, method: &str, url: &str, content: Option<(&str, Bytes)>) -> Answer {
        let headers = self.jar.header().map(|c| ("cookie", c)).into_iter().collect();
        let answer = Call { port: Port::Public, method, url, accept: JSON, content, headers }.send(self.app).await;
        self.jar.keep(&answer);
        answer
    }
}

/// An app on a phone or desktop: JSON, a session token, no cookies.
#[derive(Clone)]
pub(crate) struct Native<'a> {
    app: &'a TestApp,
    /// The session token, once there is one.
    pub(crate) token: Option<String>,
}

impl<'a> Native<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self { app, token: None }
    }

    /// Fetches.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.call("GET", url, None).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&self, url: &str, body: &Value) -> Answer {
        self.call("POST", url, json(body)).await
    }

    /// Sends a body as it is, with its media type.
    pub(crate) async fn post_raw(&self, url: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        self.call("POST", url, Some((content_type, body.into()))).await
    }

    /// Deletes, with JSON.
    pub(crate) async fn delete(&self, url: &str, body: &Value) -> Answer {
        self.call("DELETE", url, json(body)).await
    }

    async fn call(&self, method: &str, url: &str, content: Option<(&str, Bytes)>) -> Answer {
        let headers = self.token.iter().map(|t| ("x-session-token", t.clone())).collect();
        Call { port: Port::Public, method, url, accept: JSON, content, headers }.send(self.app).await
    }
}

/// An operator at the admin port.
pub(crate) struct Admin<'a> {
    app: &'a TestApp,
}

impl<'a> Admin<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self { app }
    }

    /// Fetches.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.call("GET", url, None).await
    }

    /// Any method, with JSON.
    pub(crate) async fn send(&self, method: &str, url: &str, body: &Value) -> Answer {
        self.call(method, url, json(body)).await
    }

    /// Any method, with a body as it is.
    pub(crate) async fn send_raw(&self, method: &str, url: &str, body: impl Into<Bytes>) -> Answer {
        self.call(method, url, Some((JSON, body.into()))).await
    }

    /// Any method, with JSON, for one version of what it is about.
    pub(crate) async fn send_for(&self, version: &str, method: &str, url: &str, body: &Value) -> Answer {
        let headers = vec![("if-match", version.to_owned())];
        Call { port: Port::Admin, method, url, accept: JSON, content: json(body), headers }.send(self.app).await
    }

    async fn call(&self, method: &str, url: &str, content: Option<(&str, Bytes)>) -> Answer {
        Call { port: Port::Admin, method, url, accept: JSON, content, headers: vec![] }.send(self.app).await
    }
}

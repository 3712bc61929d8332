//! An answer as tests look at it.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{LOCATION, SET_COOKIE};
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header; several lines are joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).unwrap_or_else(|| panic!("no redirect: {self:?}")).to_str().unwrap()
    }

    /// A parameter of the query where a redirect leads.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).unwrap();
        url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The id of the error in the body.
    pub(crate) fn error_id(&self) -> Option<String> {
        self.json()["error"]["id"].as_str().map(str::to_owned)
    }

    /// The value of a form's field.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        let nodes = self.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().map(|n| &n["attributes"]).find(|a| a["name"] == name).map(|a| a["value"].clone())
    }

    /// A message id for everything that the flow tells: about the form, then at its nodes, in order.
    pub(crate) fn told(&self) -> Vec<u64> {
        let ui = &self.json()["ui"];
        assert!(ui.is_object(), "no form: {self:?}");
        let at_nodes = ui["nodes"].as_array().into_iter().flatten().map(|node| &node["messages"]);
        let lists = std::iter::once(&ui["messages"]).chain(at_nodes);
        lists.flat_map(ids).collect()
    }

    /// The ids of the messages at a node.
    pub(crate) fn told_at(&self, name: &str) -> Vec<u64> {
        let nodes = self.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter(|n| n["attributes"]["name"] == name).flat_map(|n| ids(&n["messages"])).collect()
    }

    /// The names of the form's nodes, in order.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let nodes = self.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().map(|n| n["attributes"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How far the flow has come.
    pub(crate) fn state(&self) -> String {
        self.json()["state"].as_str().unwrap_or_else(|| panic!("no flow: {self:?}")).to_owned()
    }

    /// Where a script is told to send the browser: in an error, or as the last thing to go on with.
    pub(crate) fn redirect_browser_to(&self) -> String {
        let body = self.json();
        let last = body["continue_with"].as_array().and_then(|list| list.last()).unwrap_or(&body);
        last["redirect_browser_to"].as_str().unwrap_or_else(|| panic!("leads nowhere: {self:?}")).to_owned()
    }

    /// Where a form is sent.
    pub(crate) fn action(&self) -> String {
        self.json()["ui"]["action"].as_str().unwrap_or_else(|| panic!("no form: {self:?}")).to_owned()
    }

    /// The `Set-Cookie` lines.
    pub(crate) fn cookies(&self) -> Vec<String> {
        self.headers.get_all(SET_COOKIE).iter().map(|v| v.to_str().unwrap().to_owned()).collect()
    }

    /// The `Set-Cookie` line of a cookie whose name begins so.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies().into_iter().find(|c| c.starts_with(name))
    }
}

fn ids(messages: &Value) -> Vec<u64> {
    messages.as_array().into_iter().flatten().map(|m| m["id"].as_u64().unwrap()).collect()
}

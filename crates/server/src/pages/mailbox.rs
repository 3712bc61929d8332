//! The development mailbox: every message that the server wrote, for those who try things out without a mail server.
//!
//! Messages hold codes and links that sign people in, so the mailbox exists on the admin port only, in development mode
//! only, and only while that port is bound to a loopback address; requests that name another host (DNS rebinding) or come
//! from elsewhere find nothing. The HTML of a message is a document of its own, in a sandbox without scripts.

use std::net::IpAddr;

use askama::Template;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_core::courier;
use portcullis_store::outbox::{self, Dispatch, Message, MessageStatus};
use url::Url;
use uuid::Uuid;

use super::device::When;
use super::frame::{self, Frame};
use super::{assets, texts};
use crate::http::path::Mount;
use crate::http::reply::{self, Response};
use crate::http::table::{Methods, Row, page};

/// Where the list is, below the admin base URL.
pub(super) const PATH: &str = "/dev/mailbox";
const MESSAGE_PATH: &str = "/dev/mailbox/message";
const HTML_PATH: &str = "/dev/mailbox/html";

/// The most messages that are listed.
const MOST: u32 = 100;

/// What the HTML of a message may do: nothing but look as it likes, and open links in a window of their own.
const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                       frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

#[derive(Template)]
#[template(path = "mailbox.html")]
struct List {
    frame: Frame,
    here: String,
    messages: Vec<Line>,
}

/// A message in the list.
struct Line {
    href: String,
    subject: String,
    recipient: String,
    written: When,
    status: Status,
}

struct Status {
    text: &'static str,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Page {
    frame: Frame,
    list: String,
    subject: String,
    recipient: String,
    template: String,
    written: When,
    status: Status,
    error: Option<String>,
    /// The text, in pieces; `None` if it cannot be made.
    text: Option<Vec<Piece>>,
    /// Where the HTML is, if it has any.
    html: Option<String>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    is_link: bool,
}

#[derive(Template)]
#[template(path = "no_message.html")]
struct Nothing {
    frame: Frame,
    list: String,
}

/// The rows of the admin port.
pub(super) fn rows() -> Vec<Row> {
    vec![
        page(Methods::GET, PATH, exists, |cx| Box::pin(list(cx))),
        page(Methods::GET, MESSAGE_PATH, exists, |cx| Box::pin(message(cx))),
        page(Methods::GET, HTML_PATH, exists, |cx| Box::pin(html(cx))),
        page(Methods::GET, assets::MAILBOX_STYLE_PATH, exists, |cx| Box::pin(async { assets::MAILBOX_STYLE.answer(cx) })),
        page(Methods::GET, assets::MAILBOX_SCRIPT_PATH, exists, |cx| Box::pin(async { assets::MAILBOX_SCRIPT.answer(cx) })),
        page(Methods::GET, assets::MAILBOX_ICON_PATH, exists, |cx| Box::pin(async { assets::MAILBOX_ICON.answer(cx) })),
    ]
}

/// Whether there is a mailbox under a configuration.
#[must_use]
pub(super) fn exists(config: &Config) -> bool {
    let admin = &config.serve.admin;
    config.dev && admin.is_loopback() && admin.socket_path().is_none()
}

/// Whether a request was meant for this machine and comes from it.
fn is_from_here(cx: &Cx) -> bool {
    let host = cx.request.header("host").and_then(|host| Url::parse(&format!("http://{host}/")).ok());
    let named_here = host.is_some_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    });
    named_here && cx.request.client_ip.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// An address of the mailbox on its own host.
fn address(cx: &Cx, path: &str) -> String {
    format!("{}{path}", Mount::of(cx.config().admin_base_url()).as_str())
}

fn of_message(cx: &Cx, path: &str, id: Uuid) -> String {
    format!("{}?id={id}", address(cx, path))
}

/// `GET /dev/mailbox`.
async fn list(cx: &Cx) -> Response {
    if !is_from_here(cx) {
        return reply::unknown_path();
    }
    let messages = match outbox::list(cx.store(), None, None, None, MOST).await {
        Ok(messages) => messages,
        Err(error) => return broken(&error),
    };
    let mut lines = Vec::with_capacity(messages.len());
    for message in &messages {
        lines.push(Line {
            href: of_message(cx, MESSAGE_PATH, message.id),
            subject: subject_of(cx, message).await,
            recipient: message.recipient.clone(),
            written: When::new(message.created_at),
            status: status(message.status),
        });
    }
    let here = address(cx, PATH);
    let frame = Frame::of_mailbox(cx, texts::MAILBOX, here.clone());
    frame::answer(cx, 200, &List { frame, here, messages: lines })
}

/// `GET /dev/mailbox/message?id=`.
async fn message(cx: &Cx) -> Response {
    let (message, attempts) = match asked_for(cx).await {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let words = courier::preview(&cx.snapshot, &message).await;
    let has_html = words.as_ref().is_some_and(|w| w.html.is_some());
    let subject = named(words.as_ref().map_or("", |w| w.subject.as_str()));
    let list = address(cx, PATH);
    let page = Page {
        frame: Frame::of_mailbox(cx, &subject, list.clone()),
        list,
        subject,
        recipient: message.recipient.clone(),
        template: message.template.clone(),
        written: When::new(message.created_at),
        status: status(message.status),
        error: attempts.into_iter().next().and_then(|attempt| attempt.error),
        text: words.map(|words| pieces(&words.text)),
        html: has_html.then(|| of_message(cx, HTML_PATH, message.id)),
    };
    frame::answer(cx, 200, &page)
}

/// `GET /dev/mailbox/html?id=`: the HTML of a message, as its recipient's program would show it.
async fn html(cx: &Cx) -> Response {
    let (message, _) = match asked_for(cx).await {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let Some(html) = courier::preview(&cx.snapshot, &message).await.and_then(|words| words.html) else {
        return reply::unknown_path();
    };
    let mut response = reply::content(200, "text/html; charset=utf-8", in_own_windows(&html));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The message that the query names, with the attempts to send it, or the answer that there is none.
async fn asked_for(cx: &Cx) -> Result<(Message, Vec<Dispatch>), Box<Response>> {
    if !is_from_here(cx) {
        return Err(Box::new(reply::unknown_path()));
    }
    let id = cx.request.parameter("id").and_then(|id| Uuid::parse_str(id).ok());
    let found = match id {
        Some(id) => outbox::get(cx.store(), id).await.map_err(|error| Box::new(broken(&error)))?,
        None => None,
    };
    found.ok_or_else(|| {
        let list = address(cx, PATH);
        Box::new(frame::answer(cx, 404, &Nothing { frame: Frame::of_mailbox(cx, texts::MAILBOX, list.clone()), list }))
    })
}

fn broken(error: &portcullis_store::StoreError) -> Response {
    tracing::error!(%error, "the messages cannot be read");
    reply::error(&portcullis_model::error::ApiError::internal())
}

/// The subject as it was kept, or as it would be written now.
async fn subject_of(cx: &Cx, message: &Message) -> String {
    match &message.subject {
        Some(subject) => named(subject),
        None => named(&courier::preview(&cx.snapshot, message).await.map_or_else(String::new, |w| w.subject)),
    }
}

fn named(subject: &str) -> String {
    if subject.trim().is_empty() { texts::NO_SUBJECT.to_owned() } else { subject.to_owned() }
}

fn status(status: MessageStatus) -> Status {
    let class = match status {
        MessageStatus::Sent => "tag on",
        MessageStatus::Abandoned => "tag bad",
        MessageStatus::Queued | MessageStatus::Processing => "tag",
    };
    Status { text: texts::mail_status(status), class }
}

/// A text in pieces, addresses of the web being links. What ends a sentence ends no address.
fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(begin) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|c: char| c.is_whitespace() || "<>\"".contains(c)).unwrap_or(from.len());
        let end = from.get(..end).map_or(end, |url| url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'']).len());
        let (url, after) = from.split_at(end);
        if !before.is_empty() {
            out.push(Piece { text: before.to_owned(), is_link: false });
        }
        out.push(Piece { text: url.to_owned(), is_link: Url::parse(url).is_ok() });
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Piece { text: rest.to_owned(), is_link: false });
    }
    out
}

/// HTML whose links open in windows of their own: the frame that shows it must not be left.
fn in_own_windows(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let lower = html.to_ascii_lowercase();
    // Before everything else it would take the place of the document's own head.
    let at = lower.find("<head>").map_or_else(
        || lower.find("<html").and_then(|html| Some(html + lower.get(html..)?.find('>')? + 1)),
        |head| Some(head + 6),
    );
    match at.and_then(|at| Some((html.get(..at)?, html.get(at..)?))) {
        Some((before, after)) => format!("{before}{BASE}{after}"),
        None => format!("<!doctype html>{BASE}{html}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_texts_are_links() {
        for (text, expected) in [
            ("no link", "no link"),
            ("", ""),
            ("go to http://localhost/a?b=c&d. Then rest", "go to [http://localhost/a?b=c&d]. Then rest"),
            ("(https://a.example/x), <http://b/>", "([https://a.example/x]), <[http://b/]>"),
            ("https://a.example", "[https://a.example]"),
            ("https://a\nhttp://b", "[https://a]\n[http://b]"),
            ("http://", "http://"),
            ("ü http://ü.example/ü ü", "ü [http://ü.example/ü] ü"),
        ] {
            let told: String =
                pieces(text).iter().map(|p| if p.is_link { format!("[{}]", p.text) } else { p.text.clone() }).collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn links_of_a_mail_leave_its_frame_alone() {
        for (html, expected) in [
            ("<!DOCTYPE html><html><HEAD><title>", "<!DOCTYPE html><html><HEAD><base target=\"_blank\"><title>"),
            ("<html lang=en><body>", "<html lang=en><base target=\"_blank\"><body>"),
            ("<p>ü", "<!doctype html><base target=\"_blank\"><p>ü"),
        ] {
            assert_eq!(in_own_windows(html), expected);
        }
    }
}

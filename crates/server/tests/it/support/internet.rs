//! An internet of a test's own: real names lead to one server on loopback, which speaks TLS with a certificate for all of them
//! and plays whoever stands there.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis_core::outbound::World;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::app::install_provider;

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and address without query.
    pub(crate) line: String,
    /// The query, decoded and sorted.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The body as a form, decoded and sorted.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        sorted(url::form_urlencoded::parse(&self.body).into_owned())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Told {
    /// JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string() }
    }
}

/// Pairs in order.
pub(crate) fn sorted(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs
}

type Plays = Arc<dyn Fn(&Asked) -> Told + Send + Sync>;

/// Starts a server at these names, and gives the world in which they lead to it. It lasts as long as the test.
pub(crate) async fn internet(names: &[&str], plays: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> World {
    install_provider();
    let made = rcgen::generate_simple_self_signed(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let certificate = made.cert.der().clone();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let plays: Plays = Arc::new(plays);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plays) = (acceptor.clone(), Arc::clone(&plays));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| answer(request, Arc::clone(&plays)));
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let names: HashMap<String, SocketAddr> = names.iter().map(|name| ((*name).to_owned(), address)).collect();
    World::with(names, &[certificate.as_ref()]).unwrap()
}

async fn answer(request: http::Request<Incoming>, plays: Plays) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    let asked = Asked {
        line: format!("{} https://{host}{}", head.method, head.uri.path()),
        query: sorted(url::form_urlencoded::parse(query.as_bytes()).into_owned()),
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
        headers: head.headers,
    };
    let told = plays(&asked);
    let response = http::Response::builder().status(told.status).header("content-type", told.content_type);
    Ok(response.body(Full::new(told.body.into())).unwrap())
}

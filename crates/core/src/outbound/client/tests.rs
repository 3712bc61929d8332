use std::io::Write as _;

use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::source::{MAX_SOURCE_LENGTH, SourceError};
use super::*;
use crate::crypto::random::SystemClock;

fn client(settings: Settings) -> Client {
    // Fails if another test has been faster.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::new(settings, Arc::new(SystemClock)).expect("the client can be set up")
}

fn guarded(exceptions: &[&str]) -> Client {
    let private_ip_exception_urls = exceptions.iter().map(|e| (*e).to_owned()).collect();
    client(Settings { disallow_private_ip_ranges: true, private_ip_exception_urls, ..Settings::default() })
}

fn get(url: &str, trust: Trust) -> Request {
    Request::new(Method::GET, Url::parse(url).expect("a URL"), trust)
}

async fn server_with(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(template).mount(&server).await;
    server
}

#[tokio::test]
async fn private_addresses_are_reached_as_configured_and_never_for_outsiders() {
    let server = server_with(ResponseTemplate::new(204)).await;
    let (by_address, by_name) = (server.uri(), format!("http://localhost:{}/", server.address().port()));
    for url in [&by_address, &by_name] {
        let ask = async |client: Client, trust| client.send(get(url, trust)).await.map(|r| r.status).map_err(|e| e.to_string());
        let refused = Err(OutboundError::Refused.to_string());
        assert_eq!(ask(client(Settings::default()), Trust::Operator).await, Ok(204), "{url}");
        assert_eq!(ask(client(Settings::default()), Trust::Outsider).await, refused, "{url}");
        assert_eq!(ask(guarded(&[]), Trust::Operator).await, refused, "{url}");
        assert_eq!(ask(guarded(&["http://*:*/"]), Trust::Outsider).await, refused, "{url}");
        assert_eq!(ask(guarded(&[url.trim_end_matches('/')]), Trust::Operator).await, Ok(204), "{url}");
        assert_eq!(ask(guarded(&["http://other/**"]), Trust::Operator).await, refused, "{url}");
    }
}

#[tokio::test]
async fn metadata_services_are_never_reached() {
    let client = client(Settings::default());
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
    ] {
        assert!(matches!(client.send(get(url, Trust::Operator)).await, Err(OutboundError::Refused)), "{url}");
    }
    for url in ["ftp://example.org/", "file:///etc/passwd", "data:,x"] {
        assert!(matches!(client.send(get(url, Trust::Operator)).await, Err(OutboundError::Url)), "{url}");
    }
}

#[tokio::test]
async fn redirects_are_judged_again() {
    let client = client(Settings::default());
    let server = server_with(ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/")).await;
    assert!(matches!(client.send(get(&server.uri(), Trust::Operator)).await, Err(OutboundError::Refused)));
    let server = server_with(ResponseTemplate::new(302).insert_header("location", "file:///etc/passwd")).await;
    assert!(matches!(client.send(get(&server.uri(), Trust::Operator)).await, Err(OutboundError::Url)));
    let server = server_with(ResponseTemplate::new(302).insert_header("location", "/again")).await;
    assert!(matches!(client.send(get(&server.uri(), Trust::Operator)).await, Err(OutboundError::Redirect)));
    assert_eq!(server.received_requests().await.map(|r| r.len()), Some(6));
}

#[tokio::test]
async fn what_is_meant_for_one_origin_is_not_carried_to_another() {
    let client = client(Settings::default());
    let target = server_with(ResponseTemplate::new(200)).await;
    let server = MockServer::start().await;
    for status in [302, 307] {
        let to = |location: String| ResponseTemplate::new(status).insert_header("location", location);
        Mock::given(path(format!("/away/{status}"))).respond_with(to(format!("{}/landed", target.uri()))).mount(&server).await;
        Mock::given(path(format!("/here/{status}"))).respond_with(to("/landed".to_owned())).mount(&server).await;
    }
    Mock::given(method("POST"))
        .and(path("/landed"))
        .and(body_string("body"))
        .and(header("x-key", "k"))
        .respond_with(ResponseTemplate::new(201))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/landed"))
        .and(body_string(""))
        .and(header("x-key", "k"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let post = |path: &str| {
        let mut request = get(&format!("{}{path}", server.uri()), Trust::Operator);
        request.method = Method::POST;
        request.body = Bytes::from_static(b"body");
        request.headers.insert("x-key", "k".parse().expect("a value"));
        request.headers.insert(ACCEPT, "text/plain".parse().expect("a value"));
        request
    };
    let status = async |path: &str| client.send(post(path)).await.map(|r| r.status);
    assert!(matches!(status("/here/307").await, Ok(201)));
    assert!(matches!(status("/here/302").await, Ok(202)));
    assert!(matches!(status("/away/307").await, Err(OutboundError::Redirect)));
    assert!(matches!(status("/away/302").await, Ok(200)));
    let landed = target.received_requests().await.expect("requests are recorded");
    assert_eq!(landed.len(), 1);
    let headers = &landed[0].headers;
    assert!(headers.get("x-key").is_none() && headers.get("accept").is_some() && landed[0].body.is_empty());
}

#[tokio::test]
async fn answers_are_bounded_in_length_and_time() {
    let client = client(Settings::default());
    let server = server_with(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 2000])).await;
    let mut request = get(&server.uri(), Trust::Operator);
    assert_eq!(client.send(request.clone()).await.map(|r| r.body.len()).ok(), Some(2000));
    request.limit = 1999;
    assert!(matches!(client.send(request).await, Err(OutboundError::TooLarge { limit: 1999 })));
    let slow = server_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let mut request = get(&slow.uri(), Trust::Operator);
    request.timeout = Some(Duration::from_millis(50));
    assert!(matches!(client.send(request).await, Err(OutboundError::TimedOut)));
    let nobody = client.send(get("http://127.0.0.1:1/secret", Trust::Operator)).await.expect_err("nobody listens");
    assert!(matches!(&nobody, OutboundError::Failed(_)) && !nobody.to_string().contains("secret"), "{nobody}");
}

#[tokio::test]
async fn sources_are_loaded() {
    let client = client(Settings::default());
    let mut file = tempfile::Builder::new().prefix("with space").tempfile().expect("a file");
    file.write_all(b"{}").expect("written");
    let path = file.path().display().to_string();
    let server = server_with(ResponseTemplate::new(200).set_body_string("{}")).await;
    for source in [
        format!("file://{path}"),
        format!("file://{}", path.replace(' ', "%20")),
        path,
        "base64://e30=".to_owned(),
        "base64://e30".to_owned(),
        server.uri(),
    ] {
        assert_eq!(client.load(&source).await.expect("it can be loaded"), "{}", "{source}");
    }
    assert_eq!(client.load("base64://-_-_").await.expect("the other alphabet"), [0xfb, 0xff, 0xbf].as_slice());
    assert!(matches!(client.load("base64://!").await, Err(SourceError::Base64)));
    assert!(matches!(client.load("file:///does/not/exist").await, Err(SourceError::File(_))));
    for none in ["", "ftp://x", "s3://x"] {
        assert!(matches!(client.load(none).await, Err(SourceError::Scheme)), "{none}");
    }
    file.write_all(&vec![b' '; MAX_SOURCE_LENGTH]).expect("written");
    assert!(matches!(client.load(&format!("file://{}", file.path().display())).await, Err(SourceError::TooLarge)));
    let missing = server_with(ResponseTemplate::new(404)).await;
    assert!(matches!(client.load(&missing.uri()).await, Err(SourceError::Status(404))));
}

#[tokio::test]
async fn what_came_lately_is_not_asked_for_again() {
    let client = client(Settings::default());
    let server = server_with(ResponseTemplate::new(200).set_body_string("x")).await;
    for max_age in [Duration::from_secs(60), Duration::from_secs(60), Duration::ZERO] {
        assert_eq!(client.load_cached(&server.uri(), max_age).await.expect("it can be loaded"), "x");
    }
    assert_eq!(server.received_requests().await.map(|r| r.len()), Some(2));
}

#[tokio::test]
async fn name_and_password_of_the_url_are_sent_as_basic_authentication() {
    let client = client(Settings::default());
    let server = MockServer::start().await;
    let basic = wiremock::matchers::basic_auth("ada", "pw");
    Mock::given(basic).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let url = server.uri().replace("http://", "http://ada:pw@");
    assert_eq!(client.send(get(&url, Trust::Operator)).await.map(|r| r.status).ok(), Some(200));
}

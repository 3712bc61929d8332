//! Who asks, as far as the network tells: the client's address, and what proxies in front say about it.
//!
//! Forwarded headers are believed only from a trusted peer: anybody can write them. Peers are trusted when they are on
//! this machine or a private network, or, where the operator names proxies, exactly when they are named.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::HOST;

/// The environment variable that names the proxies whose forwarded headers count: addresses and networks in CIDR
/// notation (RFC 4632), separated by commas. Without it, loopback and private peers are trusted.
pub const TRUSTED_PROXIES: &str = "PORTCULLIS_TRUSTED_PROXIES";

/// Other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none for a unix socket, whose peers are on this machine.
    pub address: Option<IpAddr>,
    /// Whether the connection is encrypted here.
    pub is_tls: bool,
}

impl Peer {
    /// A peer by an address that may be an IPv4 address in IPv6 clothes.
    #[must_use]
    pub fn new(address: Option<IpAddr>, is_tls: bool) -> Self {
        Self { address: address.map(|a| a.to_canonical()), is_tls }
    }
}

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
            let shift = width.saturating_sub(u32::from(bits));
            // A shift by the whole width is no shift in Rust: a network of no bits contains everything.
            a.checked_shr(shift) == b.checked_shr(shift)
        }
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u128::from(a.to_bits()), u128::from(b.to_bits()), 32, self.bits),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// Whose forwarded headers count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    named: Option<Vec<Network>>,
}

impl Proxies {
    /// Those named by the value of [`TRUSTED_PROXIES`]; the default ones without a value.
    ///
    /// # Errors
    /// The entry that is neither an address nor a network.
    pub fn named(value: Option<&str>) -> Result<Self, String> {
        let Some(value) = value else { return Ok(Self::default()) };
        let entries = value.split(',').map(str::trim).filter(|e| !e.is_empty());
        let named: Result<Vec<_>, _> = entries.map(|e| e.parse().map_err(|()| e.to_owned())).collect();
        named.map(|named| Self { named: Some(named) })
    }

    /// Whether a peer's forwarded headers count.
    #[must_use]
    pub fn trusts(&self, peer: Peer) -> bool {
        match (peer.address, &self.named) {
            (None, _) => true,
            (Some(address), Some(named)) => named.iter().any(|n| n.contains(address)),
            (Some(address), None) => is_inside(address),
        }
    }
}

/// Whether an address belongs to this machine or a private network (RFC 1918, RFC 4193, link-local).
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_loopback() || a.is_private() || a.is_link_local(),
        IpAddr::V6(a) => a.is_loopback() || a.is_unique_local() || a.is_unicast_link_local(),
    }
}

/// A header as text, trimmed; none if it is absent, empty or no text.
#[must_use]
pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
}

/// The client's address, without port; empty for a unix socket without a proxy in front.
///
/// From a trusted peer: `True-Client-IP`, else `Cf-Connecting-IP`, else `X-Real-IP`, else the last public entry of
/// `X-Forwarded-For`; values that are no addresses are passed over. Otherwise the peer's own address.
#[must_use]
pub fn address(headers: &HeaderMap, peer: Peer, trusted: bool) -> String {
    let parse = |text: &str| address_in(text.trim()).map(|a| a.to_canonical());
    let told = || {
        let single =
            ["true-client-ip", "cf-connecting-ip", "x-real-ip"].iter().find_map(|name| text(headers, name).and_then(parse));
        single.or_else(|| {
            let chain = headers.get_all("x-forwarded-for");
            let entries = chain.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
            entries.filter_map(parse).rfind(|a| !is_inside(*a))
        })
    };
    let address = if trusted { told() } else { None };
    address.or(peer.address).map(|a| a.to_string()).unwrap_or_default()
}

/// An address that may come with a port, as some proxies write it.
fn address_in(text: &str) -> Option<IpAddr> {
    let alone = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    alone.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The id by which others know a request (`X-Request-Id`): up to 128 letters, digits and `-_.:/+=`. Anything else is passed
/// over.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b);
    text(headers, "x-request-id").filter(|id| id.len() <= 128 && id.bytes().all(is_plain))
}

/// City and country as a proxy in front tells them, joined by a comma and a blank; empty if it tells neither.
#[must_use]
pub fn location(headers: &HeaderMap, trusted: bool) -> String {
    if !trusted {
        return String::new();
    }
    match (text(headers, "cf-ipcity"), text(headers, "cf-ipcountry")) {
        (Some(city), Some(country)) => format!("{city}, {country}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}

/// Whether the client reached us by https: what a trusted proxy says, else whether this connection is encrypted.
#[must_use]
pub fn is_https(headers: &HeaderMap, peer: Peer, trusted: bool) -> bool {
    let told = if trusted { text(headers, "x-forwarded-proto") } else { None };
    told.map_or(peer.is_tls, |proto| proto.split(',').next().unwrap_or_default().trim().eq_ignore_ascii_case("https"))
}

/// The host, with port, by which the client knows us: what a trusted proxy says, else `Host`, else the authority of the
/// request's own address (HTTP/2). `None` if nothing tells it, or what tells it could not stand in a URL.
#[must_use]
pub fn host<'h>(headers: &'h HeaderMap, authority: Option<&'h str>, trusted: bool) -> Option<&'h str> {
    let told = if trusted { text(headers, "x-forwarded-host") } else { None };
    let first = told.and_then(|list| list.split(',').next()).map(str::trim);
    first.or_else(|| text(headers, HOST.as_str())).or(authority).filter(|h| is_host(h))
}

/// The path that a trusted proxy says it took off the front (`X-Forwarded-Prefix`), without slash at its end.
#[must_use]
pub fn prefix(headers: &HeaderMap, trusted: bool) -> Option<&str> {
    let told = if trusted { text(headers, "x-forwarded-prefix") } else { None };
    told.map(|p| p.trim_end_matches('/')).filter(|p| !p.is_empty())
}

/// Whether a text can stand as host and port of a URL: no user information, path, query or blanks.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), http::HeaderValue::from_static(v))).collect()
    }

    fn peer(text: &str) -> Peer {
        Peer::new(text.parse().ok(), false)
    }

    #[test]
    fn the_address_comes_from_the_first_header_that_tells_one() {
        for (pairs, expected) in [
            (&[("x-forwarded-for", "203.0.113.7")][..], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7, 198.51.100.2, 10.0.0.1")], "198.51.100.2"),
            (&[("x-real-ip", "203.0.113.8"), ("x-forwarded-for", "203.0.113.7")], "203.0.113.8"),
            (&[("true-client-ip", "203.0.113.9"), ("x-forwarded-for", "203.0.113.7")], "203.0.113.9"),
            (&[("cf-connecting-ip", "2001:db8::1"), ("x-real-ip", "203.0.113.8")], "2001:db8::1"),
            (&[("x-forwarded-for", "10.0.0.2, 192.168.1.1")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7:4711, 10.0.0.1:80")], "203.0.113.7"),
            (&[("x-forwarded-for", "[2001:db8::7]:443")], "2001:db8::7"),
            (&[("x-real-ip", "[2001:db8::7]")], "2001:db8::7"),
            (&[("x-forwarded-for", "unknown, , _hidden")], "127.0.0.1"),
            (&[("x-real-ip", "<script>"), ("x-forwarded-for", " 203.0.113.7 ")], "203.0.113.7"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(address(&headers(pairs), peer("127.0.0.1"), true), expected, "{pairs:?}");
        }
        let lies = headers(&[("true-client-ip", "203.0.113.9")]);
        assert_eq!(address(&lies, peer("198.51.100.200"), false), "198.51.100.200");
        assert_eq!(address(&headers(&[]), Peer::new(None, false), true), "");
    }

    #[test]
    fn peers_inside_are_trusted_unless_proxies_are_named() {
        let default = Proxies::default();
        for (address, trusted) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("10.1.2.3", true),
            ("::ffff:192.168.0.1", true),
            ("fd00::1", true),
            ("198.51.100.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(default.trusts(peer(address)), trusted, "{address}");
        }
        assert!(default.trusts(Peer::new(None, false)));
        let named = Proxies::named(Some("198.51.100.0/24, 2001:db8::7")).unwrap();
        for (address, trusted) in
            [("198.51.100.9", true), ("198.51.101.9", false), ("2001:db8::7", true), ("2001:db8::8", false), ("127.0.0.1", false)]
        {
            assert_eq!(named.trusts(peer(address)), trusted, "{address}");
        }
        assert!(Proxies::named(Some("0.0.0.0/0")).unwrap().trusts(peer("8.8.8.8")));
        assert_eq!(Proxies::named(Some("10.0.0.0/33")), Err("10.0.0.0/33".to_owned()));
        assert_eq!(Proxies::named(Some("127.0.0.1, proxy.example")), Err("proxy.example".to_owned()));
    }

    #[test]
    fn ids_of_requests_are_short_and_plain() {
        let (longest, longer) = ("x".repeat(128), "x".repeat(129));
        for (given, taken) in [
            ("6a2b0c1e-2222", true),
            ("Root=1-67891233-abc;Self=2", false),
            ("a b", false),
            ("", false),
            (longest.as_str(), true),
            (longer.as_str(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", given.parse().unwrap());
            assert_eq!(request_id(&headers), taken.then_some(given), "{given}");
        }
    }

    #[test]
    fn place_scheme_and_host_are_told_by_trusted_proxies_only() {
        let both = headers(&[("cf-ipcity", "Munich"), ("cf-ipcountry", "DE")]);
        assert_eq!(location(&both, true), "Munich, DE");
        assert_eq!(location(&both, false), "");
        assert_eq!(location(&headers(&[("cf-ipcountry", "DE")]), true), "DE");
        let proto = headers(&[("x-forwarded-proto", "https")]);
        assert!(is_https(&proto, peer("127.0.0.1"), true));
        assert!(!is_https(&proto, peer("127.0.0.1"), false));
        let hosts = headers(&[("host", "inner.example.org"), ("x-forwarded-host", "id.example.org")]);
        assert_eq!(host(&hosts, None, true), Some("id.example.org"));
        assert_eq!(host(&hosts, None, false), Some("inner.example.org"));
        assert_eq!(host(&headers(&[("host", "evil@x/y")]), None, true), None);
        let prefixed = headers(&[("x-forwarded-prefix", "/auth/")]);
        assert_eq!((prefix(&prefixed, true), prefix(&prefixed, false)), (Some("/auth"), None));
        assert_eq!(prefix(&headers(&[("x-forwarded-prefix", "/")]), true), None);
        assert_eq!(host(&headers(&[]), Some("id.example.org:443"), true), Some("id.example.org:443"));
    }
}

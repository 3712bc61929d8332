//! Where the server and its front ends are, and where people are sent.

use std::net::IpAddr;

use portcullis_core::config::Config;
use portcullis_model::flow::FlowKind;
use url::{Host, Url};

use super::Findings;

/// Addresses that browsers are sent to, by key: the pages of flows and the default return address.
pub(super) fn pages(config: &Config) -> Vec<(String, Url)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for kind in FlowKind::ALL {
        if let Some(url) = &config.flow(kind).ui_url {
            all.push((format!("selfservice.flows.{kind}.ui_url"), url.clone()));
        }
    }
    if let Some(url) = &config.selfservice.flows.error.ui_url {
        all.push(("selfservice.flows.error.ui_url".to_owned(), url.clone()));
    }
    all.push(("selfservice.default_browser_return_url".to_owned(), config.selfservice.default_browser_return_url.clone()));
    // Paths alone are below the server's own address.
    all.into_iter().filter_map(|(key, text)| Some((key, config.public_base_url().join(&text).ok()?))).collect()
}

/// Whether an address is on this very machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Whether a listener's host is an address that anybody can reach, as far as that can be told from it.
fn is_public_address(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_unspecified() || ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared)
        }
        Ok(IpAddr::V6(ip)) => !(ip.is_unspecified() || ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
        Err(_) => false,
    }
}

/// What browsers take for one site: the scheme and the registrable domain (or the host, where there is none).
pub(super) fn site(url: &Url) -> (String, String) {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let domain = match url.host() {
        Some(Host::Domain(name)) => psl::domain_str(name).unwrap_or(name).to_ascii_lowercase(),
        _ => host,
    };
    (url.scheme().to_owned(), domain)
}

pub(super) fn examine(config: &Config, found: &mut Findings) {
    let base = config.public_base_url();
    let (in_use, is_public) = (base.as_str(), !is_local(base));
    if is_public && base.scheme() == "http" {
        found.serious(
            "serve.public.base_url",
            format!("{in_use} is plain http: passwords and cookies can be read on the way"),
            "put https in front, and write the address that browsers see",
        );
    }
    if is_public && config.dev {
        found.serious(
            "dev",
            "development mode on an address that is not this machine's: cookies without Secure, cheap hashes",
            "turn it off",
        );
    }
    if !is_public && !config.serve.public.is_loopback() {
        found.warn(
            "serve.public.base_url",
            format!("{in_use} leads nowhere from other machines, while the port is open to them"),
            "write the address that browsers see",
        );
    }
    if is_public_address(&config.serve.admin.host) {
        found.serious(
            "serve.admin.host",
            "the admin port asks for no credentials and listens on an address of the internet",
            "let it listen on 127.0.0.1 or on a private network only",
        );
    } else if !config.serve.admin.is_loopback() {
        found.warn(
            "serve.admin.host",
            "the admin port asks for no credentials and is open to other machines",
            "let it listen on 127.0.0.1 or on a private network only",
        );
    }
    for (key, url) in pages(config) {
        if url.scheme() == "http" && !is_local(&url) {
            found.serious(&key, format!("{url} is plain http: what is typed there can be read on the way"), "use https");
        }
        if is_public && is_local(&url) {
            found.serious(
                &key,
                format!("{url} is the visitor's own machine, while the server is at {in_use}"),
                "write the address that browsers see",
            );
        }
    }
    return_urls(config, found);
    if let Some(host) = config.serve.public.cors.allowed_origins.iter().find(|o| o.as_str() == "*")
        && config.serve.public.cors.enabled
        && config.serve.public.cors.allow_credentials
    {
        found.serious(
            "serve.public.cors.allowed_origins",
            format!("{host} with credentials: every site may act in the name of who visits it"),
            "name the origins of your front ends",
        );
    }
}

/// Front ends send people back to themselves by `return_to`, which must be allowed.
fn return_urls(config: &Config, found: &mut Findings) {
    let key = "selfservice.allowed_return_urls";
    let listed: Vec<Url> = config.selfservice.allowed_return_urls.iter().filter_map(|u| Url::parse(u).ok()).collect();
    let default = Url::parse(&config.selfservice.default_browser_return_url).ok();
    let mut missing: Vec<String> = Vec::new();
    for (_, page) in pages(config) {
        let is_own = page.origin() == config.public_base_url().origin();
        let is_allowed = listed.iter().chain(&default).any(|url| url.origin() == page.origin());
        let origin = page.origin().ascii_serialization();
        if !is_own && !is_allowed && !missing.contains(&origin) {
            missing.push(origin);
        }
    }
    if !missing.is_empty() {
        found.warn(
            key,
            format!("pages are at {}, but return_to may not lead there", missing.join(", ")),
            "add these origins with the paths that people return to",
        );
    }
    for url in &listed {
        if url.scheme() == "http" && !is_local(url) {
            found.warn(key, format!("{url} is plain http"), "use https");
        }
        let is_suffix = |name: &str| psl::domain_str(name).is_none() && name.contains('.');
        if matches!(url.host(), Some(Host::Domain(name)) if name.trim_start_matches("*.").split('.').count() < 2 && !is_local(url))
            || url.domain().is_some_and(|name| name.starts_with("*.") && is_suffix(name.trim_start_matches("*.")))
        {
            found.serious(
                key,
                format!("{url} allows the sites of strangers: people can be sent anywhere after a sign-in"),
                "name your own hosts",
            );
        }
    }
}

//! Whether browsers will keep the cookies, send them where they are needed, and to nobody else.

use portcullis_core::config::{Config, SameSite};
use url::{Host, Url};

use super::Findings;
use super::addresses::{is_local, pages, site};

pub(super) fn examine(config: &Config, found: &mut Findings) {
    let base = config.public_base_url();
    let cookie = config.session_cookie();
    let own_key = |name: &str, is_own: bool| {
        if is_own { format!("session.cookie.{name}") } else { format!("cookies.{name}") }
    };
    let domain_key = own_key("domain", config.session.cookie.domain.is_some());
    let same_site_key = own_key("same_site", config.session.cookie.same_site.is_some());

    if let Some(domain) = cookie.domain.as_deref() {
        domain_of_cookies(config, domain.trim_start_matches('.'), &domain_key, found);
    } else {
        for (key, page) in fetching(config) {
            if page.host_str() != base.host_str() && site(&page) == site(base) {
                found.warn(
                    &domain_key,
                    format!(
                        "cookies go to {} only, so programs at {page} ({key}) never see them",
                        base.host_str().unwrap_or_default()
                    ),
                    "set it to the domain that both share, if the front end passes cookies on",
                );
                break;
            }
        }
    }
    for (key, page) in fetching(config) {
        if site(&page) == site(base) {
            continue;
        }
        if cookie.same_site == SameSite::None && cookie.secure {
            found.warn(
                &key,
                format!("{page} is another site than {base}: more and more browsers keep back cookies of other sites"),
                "serve both below one domain",
            );
        } else {
            found.serious(
                &same_site_key,
                format!(
                    "it is {}, and {page} ({key}) is another site than {base}: scripts there send no cookies, so nobody is ever signed in",
                    cookie.same_site.as_str()
                ),
                "serve both below one domain, or set it to None with https",
            );
            break;
        }
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        found.serious(
            &same_site_key,
            "it is None without Secure: browsers drop such cookies, so we send Lax",
            "use https, or Lax",
        );
    }
    if cookie.same_site == SameSite::Strict {
        let methods = &config.selfservice.methods;
        let comes_back = methods.oidc.enabled || methods.link.enabled;
        let problem = "it is Strict: whoever comes by a link of a mail or from a sign-in provider is not signed in";
        if comes_back {
            found.serious(&same_site_key, problem, "use Lax");
        } else {
            found.warn(&same_site_key, problem, "use Lax");
        }
    }
    if base.scheme() == "https" && !cookie.secure {
        found.serious(
            "session.cookie.secure",
            "the session cookie is not Secure although people come by https: one request by http gives it away",
            "set it to true",
        );
    }
    if base.scheme() == "http" && cookie.secure && !is_local(base) {
        found.serious(
            "session.cookie.secure",
            "the session cookie is Secure, but people come by http: browsers drop it",
            "put https in front",
        );
    }
    shared(config, found);
}

/// The pages whose scripts or servers talk to us.
fn fetching(config: &Config) -> Vec<(String, Url)> {
    pages(config).into_iter().filter(|(key, _)| key.ends_with(".ui_url")).collect()
}

fn domain_of_cookies(config: &Config, domain: &str, key: &str, found: &mut Findings) {
    let base = config.public_base_url();
    let covers = |host: &str| {
        host.eq_ignore_ascii_case(domain) || host.to_ascii_lowercase().ends_with(&format!(".{}", domain.to_ascii_lowercase()))
    };
    let host = base.host_str().unwrap_or_default();
    if !covers(host) {
        found.serious(
            key,
            format!("{host} may not set cookies for {domain}: browsers drop all of them"),
            "name the host or a domain above it",
        );
        return;
    }
    if !matches!(base.host(), Some(Host::Domain(_))) {
        found.serious(key, format!("{domain} is no domain: browsers drop cookies that name one for an address"), "leave it out");
        return;
    }
    if psl::domain_str(domain).is_none() && domain != "localhost" {
        found.serious(key, format!("{domain} is a public suffix: browsers drop cookies for it"), "name your own domain");
        return;
    }
    for (page_key, page) in fetching(config) {
        let host = page.host_str().unwrap_or_default();
        if !covers(host) {
            found.serious(
                key,
                format!("{domain} does not cover {host} ({page_key}), which gets no cookies"),
                "name a domain above both",
            );
        }
    }
    if !host.eq_ignore_ascii_case(domain) {
        found.warn(
            key,
            format!("every host below {domain} gets the session cookie and can act as its holder"),
            "leave it out, if front end and server share a host; else keep strangers' applications off that domain",
        );
    }
}

/// Whoever shares an origin shares its cookies and can act in everybody's name.
fn shared(config: &Config, found: &mut Findings) {
    let base = config.public_base_url();
    let path = base.path().trim_end_matches('/');
    let cookie = config.session_cookie();
    if !path.is_empty() && matches!(cookie.path.as_str(), "" | "/") {
        found.warn(
            "serve.public.base_url",
            format!(
                "the server is at {path} of {}: every application there gets its cookies and can act as whoever is signed in",
                base.host_str().unwrap_or_default()
            ),
            "give it a host of its own, or be sure of everything on that host",
        );
    }
    let mut ports: Vec<String> = Vec::new();
    for url in config.selfservice.allowed_return_urls.iter().filter_map(|u| Url::parse(u).ok()) {
        let is_neighbour = url.host_str() == base.host_str() && url.origin() != base.origin() && !is_local(base);
        if is_neighbour && !ports.contains(&url.origin().ascii_serialization()) {
            ports.push(url.origin().ascii_serialization());
        }
    }
    if !ports.is_empty() {
        found.warn(
            "selfservice.allowed_return_urls",
            format!("{} share the host of the server: cookies do not tell ports apart, so these get them too", ports.join(", ")),
            "give the server a host of its own",
        );
    }
}

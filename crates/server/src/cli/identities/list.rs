//! `list identities`.

use serde_json::{Value, json};
use url::Url;

use super::super::Failure;
use super::super::endpoint::segment;
use super::{Common, table};

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct List {
    /// How many are on a page, 1 to 500
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    page_size: u16,
    /// The token of the page, from the page before; the first page without
    #[arg(long, default_value = "", hide_default_value = true)]
    page_token: String,
    /// Accepted for compatibility: every read is consistent here
    #[arg(long, default_value = "", hide_default_value = true, value_parser = ["", "strong", "eventual"])]
    consistency: String,
    #[command(flatten)]
    common: Common,
}

/// Prints one page.
pub(super) fn run(args: &List) -> Result<(), Failure> {
    let admin = args.common.endpoint.open()?;
    let mut path = format!("/admin/identities?page_size={}", args.page_size);
    if !args.page_token.is_empty() {
        path.push_str(&format!("&page_token={}", segment(&args.page_token)));
    }
    if !args.consistency.is_empty() {
        path.push_str(&format!("&consistency={}", args.consistency));
    }
    let answer = admin.get(&path).map_err(Failure::of)?;
    let Value::Array(identities) = answer.value else {
        return Err(Failure::Said("the server did not answer with a list".to_owned()));
    };
    let next = answer.links.iter().find_map(|links| next_page_token(links)).unwrap_or_default();
    let mut listing = table(&identities, false);
    listing.value = json!({ "identities": identities, "next_page_token": next });
    if !next.is_empty() {
        listing.rows.push(Vec::new());
        listing.rows.push(vec!["next page token".to_owned(), next]);
    }
    args.common.style.print(&listing)
}

/// The token in the link to the next page (RFC 8288).
fn next_page_token(links: &str) -> Option<String> {
    let link = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, target) = link.split_once('<')?;
    let (target, _) = target.split_once('>')?;
    let base = Url::parse("http://localhost/").ok()?;
    let url = base.join(target).ok()?;
    url.query_pairs().find(|(key, _)| key == "page_token").map(|(_, token)| token.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let first = "</admin/identities?page_size=1&page_token=a>; rel=\"first\"";
        for (links, token) in [
            (format!("{first},</admin/identities?page_size=1&page_token=b%2Fc>; rel=\"next\""), Some("b/c")),
            (format!("<http://h/admin/identities?page_token=d>; rel=\"next\",{first}"), Some("d")),
            (first.to_owned(), None),
            ("rel=\"next\"".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(next_page_token(&links).as_deref(), token, "{links}");
        }
    }
}

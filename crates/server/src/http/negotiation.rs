//! JSON or page: what the `Accept` header prefers (RFC 9110, section 12.5.1, narrowed to two choices).
//!
//! Media types are compared without case and without their parameters. Nothing that fits stands for a page.

use portcullis_core::flow::engine::{MediaType, Wants};

/// What an `Accept` header prefers. `None` stands for a request without the header.
///
/// Entries of quality zero are skipped; of those that match JSON or HTML the highest quality wins, at equal quality the
/// more exact kind of entry, then HTML. An entry whose quality is no number is skipped.
#[must_use]
pub fn wants(accept: Option<&str>) -> Wants {
    let mut best: Option<(u16, u8, bool)> = None;
    for entry in accept.unwrap_or_default().split(',') {
        let mut parts = entry.split(';');
        let range = parts.next().unwrap_or_default().trim();
        let Some(quality) = quality(parts) else { continue };
        for is_html in [true, false] {
            let exactness = exactness(range, if is_html { "text/html" } else { "application/json" });
            if exactness > 0 {
                best = best.max(Some((quality, exactness, is_html)));
            }
        }
    }
    match best {
        Some((_, _, false)) => Wants::Json,
        _ => Wants::Page,
    }
}

/// The quality in thousandths, 1000 when none is given; `None` for zero and for what is no quality.
fn quality<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("q") {
            let value: f32 = value.trim().parse().ok()?;
            if !(0.0..=1.0).contains(&value) {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 1000")]
            let thousandths = (value * 1000.0).round() as u16;
            return (thousandths > 0).then_some(thousandths);
        }
    }
    Some(1000)
}

/// How exactly a media range names a media type: 3 wholly, 2 by its type, 1 by `*/*`, 0 not at all.
fn exactness(range: &str, media: &str) -> u8 {
    if range.eq_ignore_ascii_case(media) {
        return 3;
    }
    if range == "*/*" {
        return 1;
    }
    let of_type =
        range.strip_suffix("/*").zip(media.split_once('/')).is_some_and(|(range, (kind, _))| range.eq_ignore_ascii_case(kind));
    if of_type { 2 } else { 0 }
}

/// The media type of a body, as far as flows care, from its `Content-Type`.
#[must_use]
pub fn media_type(content_type: Option<&str>) -> MediaType {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        MediaType::Json
    } else if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        MediaType::Form
    } else {
        MediaType::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_between_page_and_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
        for (accept, json) in [
            (None, false),
            (Some(""), false),
            (Some("*/*"), false),
            (Some("text/html"), false),
            (Some("text/*"), false),
            (Some(browser), false),
            (Some("text/html,application/json"), false),
            (Some("application/json,text/html"), false),
            (Some("application/json"), true),
            (Some("application/*"), true),
            (Some("application/json, text/plain, */*"), true),
            (Some("application/json;q=0.9, text/html;q=0.8"), true),
            (Some("text/html;q=0.9, application/json;q=0.8"), false),
            (Some("application/json;q=0"), false),
            (Some("application/json;q=0, */*"), false),
            (Some("text/html;q=0, application/json;q=0.1"), true),
            (Some("image/png"), false),
            (Some("application/xml"), false),
            (Some("application/vnd.api+json"), false),
            (Some("application/json; charset=utf-8"), true),
            (Some("Application/JSON"), true),
            (Some("application/json;Q=0.5, text/html;q=0.4"), true),
            (Some("application/json;q=nonsense"), false),
            (Some("application/json;q=-1, text/html;q=7"), false),
            (Some("application/*;q=0.5, */*;q=0.5"), true),
            (Some("text/*, application/*"), false),
            (Some(",,;;, application/json ,"), true),
        ] {
            assert_eq!(wants(accept) == Wants::Json, json, "{accept:?}");
        }
    }

    #[test]
    fn bodies_are_json_forms_or_something_else() {
        for (content_type, expected) in [
            (None, MediaType::Other),
            (Some("application/json"), MediaType::Json),
            (Some("application/json; charset=utf-8"), MediaType::Json),
            (Some("APPLICATION/JSON"), MediaType::Json),
            (Some("application/x-www-form-urlencoded;charset=UTF-8"), MediaType::Form),
            (Some("multipart/form-data; boundary=x"), MediaType::Other),
            (Some("application/json-patch+json"), MediaType::Other),
        ] {
            assert_eq!(media_type(content_type), expected, "{content_type:?}");
        }
    }
}

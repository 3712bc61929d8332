//! The built-in templates: one file for each kind, with the parts `subject`, `text`, `html` and, where it can be a text
//! message, `sms`; and one layout that all HTML shares. They are read when first used and kept.

use std::sync::LazyLock;

use super::kind::Kind;
use super::language::{Compiled, Form, TemplateError, Variables};
use super::part::Part;

const LAYOUT: &str = include_str!("templates/layout.gotmpl");

fn source(kind: Kind) -> &'static str {
    match kind {
        Kind::RecoveryValid => include_str!("templates/recovery_valid.gotmpl"),
        Kind::RecoveryInvalid => include_str!("templates/recovery_invalid.gotmpl"),
        Kind::RecoveryCodeValid => include_str!("templates/recovery_code_valid.gotmpl"),
        Kind::RecoveryCodeInvalid => include_str!("templates/recovery_code_invalid.gotmpl"),
        Kind::VerificationValid => include_str!("templates/verification_valid.gotmpl"),
        Kind::VerificationInvalid => include_str!("templates/verification_invalid.gotmpl"),
        Kind::VerificationCodeValid => include_str!("templates/verification_code_valid.gotmpl"),
        Kind::VerificationCodeInvalid => include_str!("templates/verification_code_invalid.gotmpl"),
        Kind::LoginCodeValid => include_str!("templates/login_code_valid.gotmpl"),
        Kind::RegistrationCodeValid => include_str!("templates/registration_code_valid.gotmpl"),
        Kind::VerifiableAddressChanged => include_str!("templates/verifiable_address_changed.gotmpl"),
        Kind::SettingsChanged => include_str!("templates/settings_changed.gotmpl"),
    }
}

/// A part of a kind, read.
type Entry = (Kind, Part, Result<Compiled, TemplateError>);

static COMPILED: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let compile = |kind, part: Part| {
        let named = [("layout".to_owned(), LAYOUT.to_owned()), ("parts".to_owned(), source(kind).to_owned())];
        let (form, name) = match part {
            Part::Subject => (Form::Text, "subject"),
            Part::Text => (Form::Text, "text"),
            Part::Html => (Form::Html, "html"),
            Part::Sms => (Form::Text, "sms"),
        };
        (kind, part, Compiled::new(form, &format!("{{{{ template \"{name}\" . }}}}"), &named))
    };
    Kind::ALL.into_iter().flat_map(|kind| Part::ALL.into_iter().map(move |part| compile(kind, part))).collect()
});

/// Renders a part of a message by its built-in template.
///
/// # Errors
/// If the message's data lacks a variable, or there is no such part.
pub(super) fn render(kind: Kind, part: Part, variables: &Variables) -> Result<String, TemplateError> {
    match COMPILED.iter().find(|(k, p, _)| (*k, *p) == (kind, part)) {
        Some((_, _, Ok(compiled))) => compiled.render(variables),
        Some((_, _, Err(error))) => Err(TemplateError::Syntax(error.to_string())),
        None => Err(TemplateError::Syntax("there is no such template".into())),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_model::identity::Via;

    use super::super::language::variables;
    use super::super::template::{Template, samples};
    use super::*;

    fn rendered(template: &Template, part: Part) -> String {
        let via = if part == Part::Sms { Via::Sms } else { Via::Email };
        let data = template.data(via, "ada@example.org");
        render(template.kind(), part, &variables(&data)).unwrap_or_else(|e| panic!("{} {part:?}: {e}", template.kind()))
    }

    /// Runs of exactly six digits that are not a colour.
    fn codes(text: &str) -> Vec<&str> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '#')
            .filter(|w| w.len() == 6 && w.bytes().all(|b| b.is_ascii_digit()))
            .collect()
    }

    #[test]
    fn every_part_of_every_kind_renders_whole() {
        for template in samples::all() {
            let kind = template.kind();
            for part in [Part::Subject, Part::Text, Part::Html] {
                let out = rendered(&template, part);
                assert!(!out.trim().is_empty() && !out.contains("<no value>") && !out.contains("{{"), "{kind} {part:?}: {out}");
                assert!(!out.contains(['\u{FDD0}', '\u{FDD1}']), "{kind} {part:?}");
                assert!(!out.contains("://") || kind.is_owned(), "strangers are sent no link: {kind} {part:?}");
            }
            assert_eq!(rendered(&template, Part::Subject).trim().lines().count(), 1, "{kind}");
            let html = rendered(&template, Part::Html);
            assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"), "{kind}: {html}");
            assert!(
                !html.contains("<script") && !html.contains("<img") && !html.contains("@import") && !html.contains("url("),
                "{kind}"
            );
            for line in rendered(&template, Part::Text).lines() {
                assert!(line.chars().count() <= 78 || line.contains("://"), "{kind}: a long line: {line}");
            }
        }
    }

    #[test]
    fn codes_and_links_are_easy_to_find() {
        for template in samples::all() {
            let data = template.data(Via::Email, "ada@example.org");
            let (text, html) = (rendered(&template, Part::Text), rendered(&template, Part::Html));
            let code = ["recovery_code", "verification_code", "login_code", "registration_code"]
                .iter()
                .find_map(|k| data.get(*k)?.as_str());
            let link = ["recovery_url", "verification_url"].iter().find_map(|k| data.get(*k)?.as_str());
            match code {
                Some(code) => {
                    assert_eq!(text.lines().filter(|l| *l == code).count(), 1, "alone on a line: {text}");
                    assert_eq!(codes(&text).first(), Some(&code));
                    assert!(codes(&html).iter().all(|c| *c == code) && html.contains(&format!(">{code}<")), "{html}");
                    assert!(rendered(&template, Part::Sms).contains(code));
                }
                None => assert!(codes(&text).is_empty() && codes(&html).is_empty(), "{text}{html}"),
            }
            if let Some(link) = link {
                assert!(text.lines().any(|l| l == link), "alone on a line: {text}");
                assert!(html.contains(&format!("href=\"{}\"", link.replace('&', "&amp;"))), "{html}");
            }
        }
    }

    #[test]
    fn what_people_wrote_cannot_become_markup() {
        let template = samples::all().into_iter().find(|t| t.kind() == Kind::SettingsChanged).expect("a sample");
        let html = rendered(&template, Part::Html);
        assert!(html.contains("Browser &lt;1&gt;") && !html.contains("<1>"), "{html}");
        assert!(rendered(&template, Part::Text).contains("Browser <1>"));
    }
}

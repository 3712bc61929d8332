//! The normal form of identifiers and addresses: what is compared and stored, however it was spelled.
//!
//! A value is composed (NFKC, which also folds full width and ligatures), lower-cased, freed of characters that cannot be
//! seen, and trimmed. A valid international phone number becomes E.164. Every function here is idempotent, and what a
//! person typed stays in the traits as it is.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::identity::Via;

/// The most bytes that are looked at as a phone number. E.164 has 15 digits; the rest is room for separators.
const PHONE_BYTES: usize = 64;

/// The most bytes of an e-mail address (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES: usize = 254;

/// The most bytes of an e-mail address before the `@` (RFC 5321, section 4.5.3.1.1).
const LOCAL_BYTES: usize = 64;

/// The normal form of a name that somebody signs in with: a phone number in E.164 if it is one, a folded text otherwise.
#[must_use]
pub fn identifier(value: &str) -> String {
    let folded = fold(value);
    phone_of_folded(&folded).unwrap_or(folded)
}

/// The normal form of an address. What is no valid phone number stays a folded text even for text messages.
#[must_use]
pub fn address(via: Via, value: &str) -> String {
    match via {
        Via::Email => fold(value),
        Via::Sms => identifier(value),
    }
}

/// The E.164 form of a valid international phone number, however it is spaced. It must begin with `+`: without a country
/// a number is anybody's guess. Letters, as in "+1 800 FLOWERS", make it a name and no number.
#[must_use]
pub fn phone(value: &str) -> Option<String> {
    // The length is checked first, so that nobody pays for folding a megabyte to learn that it is no phone number.
    if value.len() > PHONE_BYTES * 4 { None } else { phone_of_folded(&fold(value)) }
}

/// Whether a text is an e-mail address: a local part as of RFC 5321 and 6531, and the name of a host. Comments, display
/// names and address literals such as `[127.0.0.1]` are refused.
#[must_use]
pub fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    value.len() <= EMAIL_BYTES && (1..=LOCAL_BYTES).contains(&local.len()) && is_local_part(local) && is_host_name(domain)
}

fn is_local_part(local: &str) -> bool {
    let quoted = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match quoted {
        Some(inside) => {
            let mut characters = inside.chars();
            while let Some(c) = characters.next() {
                let c = if c == '\\' { characters.next() } else { Some(c).filter(|c| *c != '"') };
                if !c.is_some_and(|c| (' '..='~').contains(&c)) {
                    return false;
                }
            }
            !inside.is_empty()
        }
        None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character)),
    }
}

fn is_atom_character(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        !c.is_whitespace() && !is_unseen(c)
    }
}

fn is_host_name(domain: &str) -> bool {
    (1..=253).contains(&domain.len())
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// Whether a character leaves no mark of its own: control, format, private use and unassigned ones.
fn is_unseen(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::Surrogate
    )
}

fn fold(value: &str) -> String {
    if value.is_ascii() {
        // NFKC changes nothing in ASCII, and there only controls are unseen.
        let seen: String = value.chars().filter(|c| !c.is_ascii_control()).map(|c| c.to_ascii_lowercase()).collect();
        return seen.trim().to_owned();
    }
    let mut folded = fold_once(value);
    // Lower-casing can make letters that compose anew, and taking away unseen ones can bring others together: go on until
    // nothing changes. Two rounds have been enough for every letter known; the bound is for those still to come.
    for _ in 0..4 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(value: &str) -> String {
    let seen = value.chars().filter(|c| !is_unseen(*c)).nfkc().collect::<String>().to_lowercase();
    seen.chars().filter(|c| !is_unseen(*c)).nfkc().collect::<String>().trim().to_owned()
}

fn phone_of_folded(value: &str) -> Option<String> {
    // The tables of phone numbers are big and are read at first use, so they are left alone unless the text can be one.
    let rest = value.strip_prefix('+')?;
    if value.len() > PHONE_BYTES {
        return None;
    }
    let mut plain = String::with_capacity(value.len());
    plain.push('+');
    for c in rest.chars() {
        match c {
            '0'..='9' => plain.push(c),
            ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' => {}
            c if c.general_category() == GeneralCategory::DashPunctuation => {}
            _ => return None,
        }
    }
    let number = phonenumber::parse(None, &plain).ok().filter(phonenumber::is_valid)?;
    Some(number.format().mode(phonenumber::Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_fold_to_one_spelling() {
        for (typed, normal) in [
            ("ada", "ada"),
            ("  Ada ", "ada"),
            ("Ada Lovelace", "ada lovelace"),
            ("ÄÖ", "äö"),
            ("a\u{308}", "ä"),
            ("ＡＢ", "ab"),
            ("\u{fb01}sh", "fish"),
            (".+-_!#", ".+-_!#"),
            ("a\u{200b}b", "ab"),
            ("a\u{200d}b", "ab"),
            ("\u{202e}ab", "ab"),
            ("a\u{ad}b", "ab"),
            ("a\u{7}b", "ab"),
            ("\u{200b} ab", "ab"),
            ("a\u{200d}\u{308}", "ä"),
            ("a\u{e000}b", "ab"),
            ("Ada@Example.ORG", "ada@example.org"),
            ("", ""),
        ] {
            assert_eq!(identifier(typed), normal, "{typed:?}");
        }
    }

    #[test]
    fn phone_numbers_become_e164() {
        for typed in [
            "+4915112345678",
            "+49 151 1234-5678",
            "+49 (151) 123.456/78",
            " +49151\u{a0}12345678",
            "+49\u{2011}15112345678",
            "＋4915112345678",
        ] {
            assert_eq!(phone(typed).as_deref(), Some("+4915112345678"), "{typed:?}");
            assert_eq!(identifier(typed), "+4915112345678");
            assert_eq!(address(Via::Sms, typed), "+4915112345678");
        }
    }

    #[test]
    fn other_texts_are_no_phone_numbers() {
        for typed in [
            "12",
            "+4912",
            "01761234567",
            "4915112345678",
            "+49 151 12345678 x",
            "+1800flowers",
            "+4915112345678@example.org",
            "+",
            "",
            "++4915112345678",
            "+999123456789",
        ] {
            assert_eq!(phone(typed), None, "{typed:?}");
        }
        assert_eq!(identifier("+4915112345678@Example.org"), "+4915112345678@example.org");
        assert_eq!(phone(&format!("+{}", "1".repeat(100_000))), None);
        assert_eq!(address(Via::Email, "+49 151 12345678"), "+49 151 12345678");
    }

    #[test]
    fn email_addresses_are_told_from_other_texts() {
        for good in [
            "a@b",
            "ada@example.org",
            "ada+tag@sub.example.org",
            "o'neil@example.org",
            "\"a b\"@example.org",
            "jürgen@example.org",
            "a@localhost",
        ] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "x",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a@[127.0.0.1]",
            "Ada <a@b>",
            "a@b@",
            "a,b@c",
            "a\r\n@b",
            "\"a\"b\"@c",
            "\"\"@c",
            "\"\\\"@c",
            "a\u{200b}@b",
            "no address",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn normal_forms_are_stable(text in ".{0,40}") {
            let once = identifier(&text);
            prop_assert_eq!(identifier(&once), once);
        }

        #[test]
        fn odd_phone_numbers_never_panic(text in "\\+[0-9 ()./-]{0,30}") {
            if let Some(number) = phone(&text) {
                prop_assert_eq!(phone(&number), Some(number));
            }
        }
    }
}

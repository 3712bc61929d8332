//! Addresses as they are shown to those who may know only that they exist.

use portcullis_model::identity::Via;

const HIDDEN: &str = "****";

/// An address of which only a little can be seen. Of a mail address the first two characters and the domain stay, unless
/// there are fewer than two before the `@`; of any other address the first three and the last two, unless it is shorter than
/// six.
#[must_use]
pub fn masked(via: Via, address: &str) -> String {
    let letters: Vec<char> = address.chars().collect();
    let text = |letters: &[char]| letters.iter().collect::<String>();
    match (via, address.rsplit_once('@')) {
        (Via::Email, Some((local, domain))) => match local.chars().count() {
            0 | 1 => address.to_owned(),
            _ => format!("{}{HIDDEN}@{domain}", local.chars().take(2).collect::<String>()),
        },
        _ => match letters.as_slice() {
            [first @ .., _, _, _] if first.len() < 3 => address.to_owned(),
            [a, b, c, .., y, z] => format!("{}{HIDDEN}{}", text(&[*a, *b, *c]), text(&[*y, *z])),
            _ => address.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_seen() {
        for (via, address, seen) in [
            (Via::Email, "ada@example.org", "ad****@example.org"),
            (Via::Email, "ad@example.org", "ad****@example.org"),
            (Via::Email, "a@example.org", "a@example.org"),
            (Via::Email, "@example.org", "@example.org"),
            (Via::Email, "jörg@example.org", "jö****@example.org"),
            (Via::Sms, "+4915112345678", "+49****78"),
            (Via::Sms, "123456", "123****56"),
            (Via::Sms, "12345", "12345"),
            (Via::Sms, "", ""),
        ] {
            assert_eq!(masked(via, address), seen, "{address}");
        }
    }
}

//! What stands before a button's words: a letter for a provider, a drawing for a way to sign in.
//!
//! It is an ornament, which no screen reader says. Providers' own emblems are not ours to print, so each gets its initial.

use portcullis_model::ui::Group;

/// How many tints the style sheet has.
const TINTS: usize = 6;

/// A key: a ring, its shaft and its teeth.
const KEY: &str = "M11 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Zm0 0h10m-4 0v4m4-4v3";
/// A stick to plug in.
const STICK: &str = "M7 9h10v9a3 3 0 0 1-3 3h-4a3 3 0 0 1-3-3zm2 0V3h6v6m-3 5v.01";
/// An envelope.
const ENVELOPE: &str = "M3 6h18v12H3zm0 1 9 6 9-6";

/// An ornament.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The initial of a name; empty for a drawing.
    pub letter: String,
    /// Which of the style sheet's tints it has.
    pub tint: usize,
    /// The path of a drawing (SVG, 24 units square); empty for a letter.
    pub path: &'static str,
}

impl Mark {
    /// The initial of a name, in a tint that stays with it.
    #[must_use]
    pub(crate) fn of_name(name: &str) -> Self {
        let first = name.chars().find(|c| c.is_alphanumeric());
        let letter = first.map_or_else(|| "?".to_owned(), |c| c.to_uppercase().collect());
        let tint = name.bytes().fold(0_usize, |sum, byte| (sum * 31 + usize::from(byte)) % 1009) % TINTS;
        Self { letter, tint, path: "" }
    }

    /// The drawing of a way to sign in; `None` for one that has none.
    pub(super) fn of_way(group: Group) -> Option<Self> {
        let path = match group {
            Group::Passkey => KEY,
            Group::Webauthn => STICK,
            Group::Code | Group::Link => ENVELOPE,
            _ => return None,
        };
        Some(Self { letter: String::new(), tint: 0, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_initials() {
        for (name, expected) in [("Acme", "A"), ("github", "G"), ("  élan", "É"), ("№ 5", "5"), ("", "?"), ("ß", "SS")] {
            let mark = Mark::of_name(name);
            assert_eq!(mark.letter, expected, "{name}");
            assert!(mark.tint < TINTS);
        }
        assert_eq!(Mark::of_name("Acme"), Mark::of_name("Acme"), "it stays");
    }
}

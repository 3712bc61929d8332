//! A device in a few words, from what its browser says of itself (`User-Agent`), and times as people read them.

use portcullis_model::time::Timestamp;
use time::OffsetDateTime;

use super::texts;

/// Browsers by what only they say; those that also say another's word come first.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems by what they are called; those that also carry another's name come first.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// A device's name. What is no browser is called by the first word that it says, without version.
#[must_use]
pub(super) fn name(agent: &str) -> String {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => texts::device(browser, system),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => {
            let first = agent.split(['/', ' ', '(']).next().unwrap_or_default();
            let word: String = first.chars().filter(|c| !c.is_control()).take(40).collect();
            if word.is_empty() { texts::UNKNOWN_DEVICE.to_owned() } else { word }
        }
    }
}

/// A point in time on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// For scripts, which tell it in the reader's own zone.
    pub rfc3339: String,
    /// For people, in UTC.
    pub text: String,
}

impl When {
    /// A point in time to the minute. One beyond the calendar is shown as machines write it.
    #[must_use]
    pub(super) fn new(at: Timestamp) -> Self {
        let rfc3339 = at.to_string();
        let text = OffsetDateTime::from_unix_timestamp(at.seconds()).map_or_else(
            |_| rfc3339.clone(),
            |t| format!("{} {} {}, {:02}:{:02} UTC", t.day(), texts::month(u8::from(t.month())), t.year(), t.hour(), t.minute()),
        );
        Self { rfc3339, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names_that_people_know() {
        for (agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("", "Unknown device"),
            ("\u{7}", "Unknown device"),
        ] {
            assert_eq!(name(agent), expected);
        }
    }

    #[test]
    fn times_are_told_to_the_minute() {
        let when = When::new(Timestamp::from_seconds(1_769_869_800));
        assert_eq!(when.text, "31 January 2026, 14:30 UTC");
        assert_eq!(when.rfc3339, "2026-01-31T14:30:00Z");
        assert!(!When::new(Timestamp::from_micros(i64::MAX)).text.is_empty());
    }
}

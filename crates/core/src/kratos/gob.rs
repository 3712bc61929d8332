//! The one message of Go's `encoding/gob` that there is to read: a map whose keys and values are interfaces, as session
//! cookies hold it. Entries that are not texts are passed over. No input makes this panic or take more than a pass.

/// The id that gob gives to the type of texts.
const STRING: i64 = 6;

/// The most entries that a map may have here.
const MOST: u64 = 64;

/// The texts of a map by their keys. `None` if the bytes are no such map.
pub(super) fn texts(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut all = Bytes(bytes);
    // Messages that define types come first: their ids are negative.
    let mut message = loop {
        let length = all.length()?;
        let mut message = Bytes(all.take(length)?);
        if message.int()? >= 0 {
            break message;
        }
    };
    // What is no struct at the top has a zero in front.
    if message.uint()? != 0 {
        return None;
    }
    let entries = message.uint().filter(|n| *n <= MOST)?;
    let mut out = Vec::new();
    for _ in 0..entries {
        let key = message.interface()?;
        let value = message.interface()?;
        if let (Some(key), Some(value)) = (key, value) {
            out.push((key, value));
        }
    }
    Some(out)
}

/// What is still to be read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// An unsigned number: one byte below 128, or the negated count of the bytes that follow, greatest first.
    fn uint(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        if first < 128 {
            return Some(u64::from(first));
        }
        let count = usize::from(first.wrapping_neg());
        let digits = if count <= 8 { self.take(count)? } else { return None };
        Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }

    /// A signed number: the sign is the lowest bit.
    fn int(&mut self) -> Option<i64> {
        let number = self.uint()?;
        let magnitude = i64::try_from(number >> 1).ok()?;
        Some(if number & 1 == 1 { !magnitude } else { magnitude })
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.uint()?).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    /// An interface: the name of its type, the type's id, the length of the value, the value. `Some(None)` if it holds
    /// anything but a text.
    fn interface(&mut self) -> Option<Option<String>> {
        let name = self.text()?;
        if name.is_empty() {
            return Some(None);
        }
        let kind = self.int()?;
        let length = self.length()?;
        let mut value = Bytes(self.take(length)?);
        if kind != STRING {
            return Some(None);
        }
        value.uint().filter(|zero| *zero == 0)?;
        value.text().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A definition of the map's type, then the map.
    fn message(entries: &[&[u8]]) -> Vec<u8> {
        let definition = [0x0d, 0x7f, 0x04, 0x01, 0x02, 0xff, 0x80, 0x00, 0x01, 0x10, 0x01, 0x10, 0x00, 0x00];
        let mut map = vec![0xff, 0x80, 0x00, u8::try_from(entries.len() / 2).unwrap()];
        map.extend(entries.iter().copied().flatten());
        let mut out = definition.to_vec();
        out.push(u8::try_from(map.len()).unwrap());
        out.extend(map);
        out
    }

    fn text(value: &str) -> Vec<u8> {
        let length = u8::try_from(value.len()).unwrap();
        [b"\x06string\x0c".as_slice(), &[length + 2, 0, length], value.as_bytes()].concat()
    }

    #[test]
    fn texts_are_found_among_other_entries() {
        let number = b"\x03int\x04\x02\x00\x0e".to_vec();
        let bytes = message(&[&text("n"), &number, &text("session_token"), &text("abc")]);
        assert_eq!(texts(&bytes), Some(vec![("session_token".to_owned(), "abc".to_owned())]));
        assert_eq!(texts(&message(&[])), Some(vec![]));
    }

    #[test]
    fn damage_is_no_message_and_no_panic() {
        let whole = message(&[&text("session_token"), &text("abc")]);
        for cut in 0..whole.len() {
            assert_eq!(texts(&whole[..cut]), None, "{cut}");
        }
        for place in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                let _ = texts(&damaged);
            }
        }
    }
}

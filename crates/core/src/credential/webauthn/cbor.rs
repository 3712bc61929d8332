//! Reading CBOR (RFC 8949) as authenticators write it (CTAP2 canonical form): definite lengths only.
//!
//! Nothing is built in memory and nothing recurses: a reader moves over borrowed bytes, and skipping counts what is left
//! to skip. Lengths are checked against the bytes that there are, so no input is answered with more work than its size.

/// The bytes are no CBOR of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data of the authenticator cannot be read")]
pub(super) struct Malformed;

/// One item; of arrays and maps only the head, whose members follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A whole number that fits.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A text.
    Text(&'a str),
    /// A list of so many items.
    Array(u64),
    /// So many pairs.
    Map(u64),
    /// A tag: one item follows.
    Tag,
    /// Anything else: true, false, null, a fraction, a number beyond 64 bits with a sign.
    Other,
}

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next item.
    pub(super) fn item(&mut self) -> Result<Item<'a>, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => u64::from(info),
            24..=27 => self.take(1 << (info - 24))?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            _ => return Err(Malformed),
        };
        Ok(match major {
            0 => i64::try_from(argument).map_or(Item::Other, Item::Int),
            1 => i64::try_from(argument).map_or(Item::Other, |n| Item::Int(-1 - n)),
            2 => Item::Bytes(self.take(argument)?),
            3 => Item::Text(std::str::from_utf8(self.take(argument)?).map_err(|_| Malformed)?),
            4 => Item::Array(argument),
            5 => Item::Map(argument),
            6 => Item::Tag,
            _ => Item::Other,
        })
    }

    /// Passes over the next item with all that is in it.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut pending: u64 = 1;
        while pending > 0 {
            pending -= 1;
            let inside = match self.item()? {
                Item::Array(length) => length,
                Item::Map(pairs) => pairs.checked_mul(2).ok_or(Malformed)?,
                Item::Tag => 1,
                _ => 0,
            };
            // Every item takes a byte at least: what cannot be there is not waited for.
            pending = pending.checked_add(inside).filter(|n| *n <= self.rest.len() as u64).ok_or(Malformed)?;
        }
        Ok(())
    }

    /// The head of a map.
    pub(super) fn map(&mut self) -> Result<u64, Malformed> {
        match self.item()? {
            Item::Map(pairs) if pairs <= self.rest.len() as u64 => Ok(pairs),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_one_by_one() {
        let bytes =
            [0x18, 0x2a, 0x26, 0x43, 1, 2, 3, 0x62, b'h', b'i', 0x82, 0xf5, 0xf6, 0xa1, 0xc1, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut reader = Reader::new(&bytes);
        for expected in [
            Item::Int(42),
            Item::Int(-7),
            Item::Bytes(&[1, 2, 3]),
            Item::Text("hi"),
            Item::Array(2),
            Item::Other,
            Item::Other,
            Item::Map(1),
            Item::Tag,
            Item::Other,
        ] {
            assert_eq!(reader.item(), Ok(expected));
        }
        assert_eq!(reader.item(), Err(Malformed));
    }

    #[test]
    fn hostile_bytes_end_at_once() {
        let deep = [0x81; 100_000];
        for bytes in [
            &[][..],
            // Indefinite lengths and reserved heads.
            &[0x9f, 0xff],
            &[0x1c],
            // Longer than there is.
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
            &[0x43, 1, 2],
            &[0x62, 0xff, 0xfe],
            &[0x19, 1],
            &deep,
        ] {
            assert_eq!(Reader::new(bytes).skip(), Err(Malformed), "{:?}", bytes.get(..9));
        }
    }
}

//! Public keys of authenticators (COSE keys, RFC 9053) and their signatures: what is offered is what is verified.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::cbor::{Item, Malformed, Reader};

/// The algorithms that keys may use, the preferred one first: ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384,
/// PS512, EdDSA (IANA registry "COSE Algorithms").
pub(super) const OFFERED: [i64; 10] = [-7, -35, -36, -257, -258, -259, -37, -38, -39, -8];

/// The longest key that is kept, in bytes: RSA of 8192 bits fits.
const MAX_KEY: usize = 2048;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    algorithm: i64,
    material: Material<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material<'a> {
    Curve { curve: i64, x: &'a [u8], y: &'a [u8] },
    Edwards { x: &'a [u8] },
    Rsa { n: &'a [u8], e: &'a [u8] },
}

/// The members of a COSE key, as far as they are read.
#[derive(Default)]
struct Members<'a> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    /// The member -1: a curve, or the modulus of RSA.
    first: Option<Item<'a>>,
    /// The member -2: x, or the exponent of RSA.
    second: Option<&'a [u8]>,
    /// The member -3: y.
    third: Option<&'a [u8]>,
}

impl<'a> PublicKey<'a> {
    /// Reads the key at the reader's place, and moves behind it.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut members = Members::default();
        for _ in 0..reader.map()? {
            match reader.item()? {
                Item::Int(1) => members.kind = Some(int(reader.item()?)?),
                Item::Int(3) => members.algorithm = Some(int(reader.item()?)?),
                Item::Int(-1) => members.first = Some(reader.item()?),
                Item::Int(-2) => members.second = Some(bytes(reader.item()?)?),
                Item::Int(-3) => members.third = Some(bytes(reader.item()?)?),
                Item::Int(_) | Item::Text(_) => reader.skip()?,
                _ => return Err(Malformed),
            }
        }
        let algorithm = members.algorithm.filter(|a| OFFERED.contains(a)).ok_or(Malformed)?;
        let material = match (members.kind, members.first, members.second, members.third) {
            (Some(1), Some(Item::Int(6)), Some(x), _) => Material::Edwards { x },
            (Some(2), Some(Item::Int(curve)), Some(x), Some(y)) => Material::Curve { curve, x, y },
            (Some(3), Some(Item::Bytes(n)), Some(e), _) => Material::Rsa { n, e },
            _ => return Err(Malformed),
        };
        let key = Self { algorithm, material };
        if key.is_sound() { Ok(key) } else { Err(Malformed) }
    }

    /// Reads a key that was stored by itself.
    pub(super) fn of(stored: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(stored))
    }

    /// Whether key and algorithm belong together (W3C Web Authentication, section 5.8.5: an algorithm's curve is fixed).
    fn is_sound(&self) -> bool {
        match (&self.material, self.algorithm) {
            (Material::Curve { curve, x, y }, algorithm) => {
                curve_of(algorithm).is_some_and(|(known, size, _)| (known, size, size) == (*curve, x.len(), y.len()))
            }
            (Material::Edwards { x }, -8) => x.len() == 32,
            (Material::Rsa { n, e }, algorithm) => rsa_of(algorithm).is_some() && n.len() + e.len() <= MAX_KEY,
            _ => false,
        }
    }

    /// Whether a signature of a message is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Curve { x, y, .. } => curve_of(self.algorithm).is_some_and(|(_, _, algorithm)| {
                let point = [&[4], *x, *y].concat();
                UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
            }),
            Material::Edwards { x } => UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok(),
            Material::Rsa { n, e } => rsa_of(self.algorithm)
                .is_some_and(|parameters| RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()),
        }
    }
}

/// The curve of an algorithm, the size of its coordinates in bytes, and how it is verified.
fn curve_of(algorithm: i64) -> Option<(i64, usize, &'static EcdsaVerificationAlgorithm)> {
    match algorithm {
        -7 => Some((1, 32, &ECDSA_P256_SHA256_ASN1)),
        -35 => Some((2, 48, &ECDSA_P384_SHA384_ASN1)),
        -36 => Some((3, 66, &ECDSA_P521_SHA512_ASN1)),
        _ => None,
    }
}

/// How an RSA algorithm is verified. Keys of fewer than 2048 bits verify nothing.
fn rsa_of(algorithm: i64) -> Option<&'static RsaParameters> {
    match algorithm {
        -257 => Some(&RSA_PKCS1_2048_8192_SHA256),
        -258 => Some(&RSA_PKCS1_2048_8192_SHA384),
        -259 => Some(&RSA_PKCS1_2048_8192_SHA512),
        -37 => Some(&RSA_PSS_2048_8192_SHA256),
        -38 => Some(&RSA_PSS_2048_8192_SHA384),
        -39 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn int(item: Item<'_>) -> Result<i64, Malformed> {
    match item {
        Item::Int(number) => Ok(number),
        _ => Err(Malformed),
    }
}

fn bytes(item: Item<'_>) -> Result<&[u8], Malformed> {
    match item {
        Item::Bytes(bytes) => Ok(bytes),
        _ => Err(Malformed),
    }
}

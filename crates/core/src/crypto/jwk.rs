//! Signing keys as key sets write them (RFC 7517, RFC 7518, RFC 8037), and tokens signed by them (RFC 7519).

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::secrets::Secret;

/// Why a key set cannot sign. The texts repeat nothing of the keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// The document is no key set.
    #[error("the document is no JSON Web Key Set")]
    Unreadable,
    /// There is no key in it.
    #[error("the key set is empty")]
    Empty,
    /// The key does not say which algorithm it is for: guessing would let a key be used for something else.
    #[error("the first key of the set names no algorithm")]
    NoAlgorithm,
    /// The key's algorithm is not known, or not for keys of this type or curve.
    #[error("the algorithm of the first key is not known or does not fit its type")]
    Algorithm,
    /// Parts of the private key are missing or do not belong together.
    #[error("the first key of the set is not a whole private key")]
    Key,
    /// The key refused to sign.
    #[error("the key could not sign")]
    Signing,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<Secret>,
    y: Option<Secret>,
    d: Option<Secret>,
    n: Option<Secret>,
    e: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
    k: Option<Secret>,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(Box<hmac::Key>),
}

/// A private key that signs tokens.
pub struct SigningKey {
    algorithm: String,
    id: Option<String>,
    pair: Pair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

/// A token's head; the order of the fields is the order in which they are written.
#[derive(Serialize)]
struct Head<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    typ: &'static str,
}

impl SigningKey {
    /// The first key of a set.
    ///
    /// # Errors
    /// If there is none, or it is no whole private key for the algorithm that it names.
    pub fn first_of(set: &[u8]) -> Result<Self, JwkError> {
        let set: Set = serde_json::from_slice(set).map_err(|_| JwkError::Unreadable)?;
        let jwk = set.keys.into_iter().next().ok_or(JwkError::Empty)?;
        let algorithm = jwk.alg.clone().ok_or(JwkError::NoAlgorithm)?;
        let pair = match jwk.kty.as_str() {
            "RSA" => jwk.rsa(&algorithm),
            "EC" => jwk.ec(&algorithm),
            "OKP" => jwk.ed(&algorithm),
            "oct" => jwk.hmac(&algorithm),
            _ => Err(JwkError::Algorithm),
        }?;
        Ok(Self { algorithm, id: jwk.kid, pair })
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// If the key refuses.
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, JwkError> {
        let head = Head { alg: &self.algorithm, kid: self.id.as_deref(), typ: "JWT" };
        let encode = |json: serde_json::Result<Vec<u8>>| json.map(|j| URL_SAFE_NO_PAD.encode(j)).map_err(|_| JwkError::Signing);
        let message = format!("{}.{}", encode(serde_json::to_vec(&head))?, encode(serde_json::to_vec(claims))?);
        let signature = self.pair.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JwkError> {
        let refused = |_| JwkError::Signing;
        // The library insists on its own source of chance for signatures.
        let rng = SystemRandom::new();
        match self {
            Self::Rsa(pair, encoding) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &rng, message, &mut out).map_err(refused)?;
                Ok(out)
            }
            Self::Ec(pair) => pair.sign(&rng, message).map(|s| s.as_ref().to_vec()).map_err(refused),
            Self::Ed(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()).map_err(refused),
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

type Bytes = Zeroizing<Vec<u8>>;

impl Jwk {
    fn rsa(&self, algorithm: &str) -> Result<Pair, JwkError> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "RS256" => &signature::RSA_PKCS1_SHA256,
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            "PS512" => &signature::RSA_PSS_SHA512,
            _ => return Err(JwkError::Algorithm),
        };
        let (n, e) = (unsigned(&self.n)?, unsigned(&self.e)?);
        let part = |part: &Option<Secret>| unsigned(part);
        let components = rsa::KeyPairComponents {
            public_key: rsa::PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
            d: &*part(&self.d)?,
            p: &*part(&self.p)?,
            q: &*part(&self.q)?,
            dP: &*part(&self.dp)?,
            dQ: &*part(&self.dq)?,
            qInv: &*part(&self.qi)?,
        };
        RsaKeyPair::from_components(&components).map(|pair| Pair::Rsa(pair, encoding)).map_err(|_| JwkError::Key)
    }

    fn ec(&self, algorithm: &str) -> Result<Pair, JwkError> {
        let (signing, length): (&'static EcdsaSigningAlgorithm, usize) = match (algorithm, self.crv.as_deref()) {
            ("ES256", Some("P-256")) => (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, 32),
            ("ES384", Some("P-384")) => (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, 48),
            ("ES512", Some("P-521")) => (&signature::ECDSA_P521_SHA512_FIXED_SIGNING, 66),
            _ => return Err(JwkError::Algorithm),
        };
        let (private, x, y) = (fixed(&self.d, length)?, fixed(&self.x, length)?, fixed(&self.y, length)?);
        // An uncompressed point (SEC 1, section 2.3.3).
        let public = [&[4], x.as_slice(), y.as_slice()].concat();
        EcdsaKeyPair::from_private_key_and_public_key(signing, &private, &public).map(Pair::Ec).map_err(|_| JwkError::Key)
    }

    fn ed(&self, algorithm: &str) -> Result<Pair, JwkError> {
        if !matches!(algorithm, "EdDSA" | "Ed25519") || self.crv.as_deref() != Some("Ed25519") {
            return Err(JwkError::Algorithm);
        }
        let (seed, public) = (fixed(&self.d, 32)?, fixed(&self.x, 32)?);
        Ed25519KeyPair::from_seed_and_public_key(&seed, &public).map(Pair::Ed).map_err(|_| JwkError::Key)
    }

    fn hmac(&self, algorithm: &str) -> Result<Pair, JwkError> {
        let algorithm = match algorithm {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => return Err(JwkError::Algorithm),
        };
        let key = decode(&self.k)?;
        if key.is_empty() { Err(JwkError::Key) } else { Ok(Pair::Hmac(Box::new(hmac::Key::new(algorithm, &key)))) }
    }
}

/// Key sets are written without padding; some writers add it.
const BASE64URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

fn decode(part: &Option<Secret>) -> Result<Bytes, JwkError> {
    let text = part.as_ref().ok_or(JwkError::Key)?.expose();
    BASE64URL.decode(text).map(Zeroizing::new).map_err(|_| JwkError::Key)
}

/// A number without leading zero bytes, which some writers add.
fn unsigned(part: &Option<Secret>) -> Result<Bytes, JwkError> {
    let bytes = decode(part)?;
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    Ok(Zeroizing::new(bytes.iter().skip(zeros).copied().collect()))
}

/// A number of a fixed length; leading zeros that a writer left out are put back.
fn fixed(part: &Option<Secret>, length: usize) -> Result<Bytes, JwkError> {
    let bytes = unsigned(part)?;
    let missing = length.checked_sub(bytes.len()).ok_or(JwkError::Key)?;
    Ok(Zeroizing::new(std::iter::repeat_n(0, missing).chain(bytes.iter().copied()).collect()))
}

#[cfg(test)]
mod tests;

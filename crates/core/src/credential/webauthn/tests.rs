//! Whole ceremonies with real signatures of every algorithm, and everything that may be wrong with an answer.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaKeyPair, RsaPublicKeyComponents, RsaSignatureEncoding,
};
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::algorithm::OFFERED;
use super::*;

const CHALLENGE: &[u8] = b"0123456789abcdef0123456789abcdef";
const ORIGIN: &str = "https://id.example.org";
const ID: &[u8] = b"the id of a key";

/// What is wrong with an answer.
#[derive(Clone, Debug)]
struct Bend {
    ceremony: Option<&'static str>,
    challenge: Vec<u8>,
    origin: &'static str,
    cross_origin: Option<bool>,
    site: &'static str,
    flags: u8,
    count: u32,
    user_handle: Option<&'static [u8]>,
}

impl Default for Bend {
    fn default() -> Self {
        Self {
            ceremony: None,
            challenge: CHALLENGE.to_vec(),
            origin: ORIGIN,
            cross_origin: Some(false),
            site: "example.org",
            flags: 0x05,
            count: 7,
            user_handle: None,
        }
    }
}

impl Bend {
    fn client(&self, ceremony: &str) -> Vec<u8> {
        let ceremony = self.ceremony.unwrap_or(ceremony);
        let mut client = json!({ "type": ceremony, "challenge": to_url(&self.challenge), "origin": self.origin });
        if let Some(cross) = self.cross_origin {
            client["crossOrigin"] = cross.into();
        }
        client.to_string().into_bytes()
    }

    fn data(&self, more: u8, tail: &[u8]) -> Vec<u8> {
        let site = digest(&SHA256, self.site.as_bytes());
        [site.as_ref(), &[self.flags | more], &self.count.to_be_bytes(), tail].concat()
    }
}

/// A private key in an authenticator.
enum Private {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
}

struct Authenticator {
    private: Private,
    cose: Vec<u8>,
}

fn head(major: u8, n: usize) -> Vec<u8> {
    let n = u16::try_from(n).unwrap();
    [&[major << 5 | 25][..], &n.to_be_bytes()].concat()
}

fn int(n: i64) -> Vec<u8> {
    if n >= 0 { head(0, usize::try_from(n).unwrap()) } else { head(1, usize::try_from(-1 - n).unwrap()) }
}

fn bytes(b: &[u8]) -> Vec<u8> {
    [head(2, b.len()), b.to_vec()].concat()
}

fn text(t: &str) -> Vec<u8> {
    [head(3, t.len()), t.as_bytes().to_vec()].concat()
}

fn map(members: &[(i64, Vec<u8>)]) -> Vec<u8> {
    let inner: Vec<u8> = members.iter().flat_map(|(name, value)| [int(*name), value.clone()].concat()).collect();
    [head(5, members.len()), inner].concat()
}

impl Authenticator {
    fn new(algorithm: i64) -> Self {
        let ecdsa = |signing, curve| {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            let point = pair.public_key().as_ref()[1..].to_vec();
            let (x, y) = point.split_at(point.len() / 2);
            let cose = map(&[(1, int(2)), (3, int(algorithm)), (-1, int(curve)), (-2, bytes(x)), (-3, bytes(y))]);
            Self { private: Private::Ecdsa(pair), cose }
        };
        let rsa = |encoding| {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
            let cose = map(&[(1, int(3)), (3, int(algorithm)), (-1, bytes(&public.n)), (-2, bytes(&public.e))]);
            Self { private: Private::Rsa(pair, encoding), cose }
        };
        match algorithm {
            -7 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, 1),
            -35 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, 2),
            -36 => ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING, 3),
            -257 => rsa(&RSA_PKCS1_SHA256),
            -258 => rsa(&RSA_PKCS1_SHA384),
            -259 => rsa(&RSA_PKCS1_SHA512),
            -37 => rsa(&RSA_PSS_SHA256),
            -38 => rsa(&RSA_PSS_SHA384),
            -39 => rsa(&RSA_PSS_SHA512),
            -8 => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let x = pair.public_key().as_ref().to_vec();
                let cose = map(&[(1, int(1)), (3, int(-8)), (-1, int(6)), (-2, bytes(&x))]);
                Self { private: Private::Ed25519(pair), cose }
            }
            other => panic!("nobody can sign {other}"),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Private::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    fn attested(&self) -> Vec<u8> {
        let length = u16::try_from(ID.len()).unwrap().to_be_bytes();
        [&[0; 16][..], &length, ID, &self.cose].concat()
    }

    fn makes(&self, bend: &Bend) -> String {
        let data = bend.data(0x40, &self.attested());
        answer_of_making(&bend.client("webauthn.create"), &object("none", &data))
    }

    fn uses(&self, bend: &Bend) -> String {
        let (data, client) = (bend.data(0, &[]), bend.client("webauthn.get"));
        let signature = self.sign(&[data.as_slice(), digest(&SHA256, &client).as_ref()].concat());
        json!({
            "id": to_url(ID), "rawId": to_url(ID), "type": "public-key",
            "response": {
                "clientDataJSON": to_url(&client), "authenticatorData": to_url(&data), "signature": to_url(&signature),
                "userHandle": bend.user_handle.map(to_url),
            },
        })
        .to_string()
    }

    /// A credential that holds the key.
    fn enrolled(&self, bend: &Bend) -> Credential {
        let made = make(&self.makes(bend), Verification::Optional).unwrap();
        credential(entry(&made, "blue", false, Timestamp::from_seconds(1_800_000_000)))
    }
}

fn object(format: &str, data: &[u8]) -> Vec<u8> {
    [head(5, 3), text("fmt"), text(format), text("attStmt"), head(5, 0), text("authData"), bytes(data)].concat()
}

fn answer_of_making(client: &[u8], object: &[u8]) -> String {
    json!({
        "id": to_url(ID), "rawId": to_url(ID), "type": "public-key",
        "response": {
            "clientDataJSON": to_url(client), "attestationObject": to_url(object),
            "transports": ["usb", "carrier-pigeon", "internal"],
        },
    })
    .to_string()
}

fn credential(key: Value) -> Credential {
    Credential {
        id: Uuid::nil(),
        kind: CredentialType::Webauthn,
        identifiers: Vec::new(),
        config: json!({ "credentials": [key] }),
        version: 1,
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
    }
}

fn site() -> Site {
    Site::at("example.org", &["https://ID.example.org", "https://other.example"])
}

fn make(answer: &str, verification: Verification) -> Result<ceremony::Made, Refused> {
    made(&site(), verification, CHALLENGE, &Answer::parse(answer)?)
}

fn prove(credential: &Credential, answer: &str, verification: Verification) -> Result<Asserted, Refused> {
    let answer = Answer::parse(answer)?;
    let key = find(credential, &answer.id).ok_or(Refused::Unknown)?;
    proved(&site(), verification, CHALLENGE, key, Some(b"ada"), &answer)
}

#[test]
fn every_algorithm_that_is_offered_is_verified() {
    for algorithm in OFFERED {
        let authenticator = Authenticator::new(algorithm);
        let credential = authenticator.enrolled(&Bend::default());
        let answer = authenticator.uses(&Bend::default());
        let used = prove(&credential, &answer, Verification::Required);
        assert_eq!(used.map(|used| used.sign_count), Ok(7), "{algorithm}");
        // A signature of anything else is none.
        let mut broken: Value = serde_json::from_str(&answer).unwrap();
        let mut signature = from_base64(broken["response"]["signature"].as_str().unwrap()).unwrap();
        let last = signature.len() - 1;
        signature[last] ^= 1;
        broken["response"]["signature"] = to_url(&signature).into();
        assert_eq!(prove(&credential, &broken.to_string(), Verification::Optional), Err(Refused::Signature), "{algorithm}");
        let stranger = Authenticator::new(algorithm).uses(&Bend::default());
        assert_eq!(prove(&credential, &stranger, Verification::Optional), Err(Refused::Signature), "{algorithm}");
    }
}

#[test]
fn what_is_wrong_is_refused_in_both_ceremonies() {
    let authenticator = Authenticator::new(-7);
    let credential = authenticator.enrolled(&Bend::default());
    let fine = Bend::default;
    for (bend, why) in [
        (Bend { ceremony: Some("payment.get"), ..fine() }, Refused::Ceremony),
        (Bend { challenge: b"another".to_vec(), ..fine() }, Refused::Challenge),
        (Bend { challenge: Vec::new(), ..fine() }, Refused::Challenge),
        (Bend { origin: "https://evil.example", ..fine() }, Refused::Origin),
        (Bend { origin: "https://id.example.org.evil.example", ..fine() }, Refused::Origin),
        (Bend { origin: "https://example.org", ..fine() }, Refused::Origin),
        (Bend { cross_origin: Some(true), ..fine() }, Refused::Origin),
        (Bend { site: "evil.example", ..fine() }, Refused::Site),
        (Bend { flags: 0x04, ..fine() }, Refused::NotPresent),
        (Bend { flags: 0x01, ..fine() }, Refused::NotVerified),
        // Copied, but not to be copied.
        (Bend { flags: 0x15, ..fine() }, Refused::Backup),
    ] {
        assert_eq!(make(&authenticator.makes(&bend), Verification::Required).err(), Some(why), "{bend:?}");
        assert_eq!(prove(&credential, &authenticator.uses(&bend), Verification::Required).err(), Some(why), "{bend:?}");
    }
    for (bend, verification) in [
        (Bend { flags: 0x01, ..fine() }, Verification::Optional),
        (Bend { cross_origin: None, ..fine() }, Verification::Required),
        (Bend { origin: "HTTPS://other.EXAMPLE", ..fine() }, Verification::Required),
        (Bend { user_handle: Some(b"ada"), ..fine() }, Verification::Required),
    ] {
        assert!(make(&authenticator.makes(&bend), verification).is_ok(), "{bend:?}");
        assert!(prove(&credential, &authenticator.uses(&bend), verification).is_ok(), "{bend:?}");
    }
    let swapped = Bend { user_handle: Some(b"bob"), ..fine() };
    assert_eq!(prove(&credential, &authenticator.uses(&swapped), Verification::Optional), Err(Refused::UserHandle));
    let eligible = Bend { flags: 0x0d, ..fine() };
    assert_eq!(prove(&credential, &authenticator.uses(&eligible), Verification::Optional), Err(Refused::Backup));
    // One ceremony's answer is none to the other.
    assert_eq!(make(&authenticator.uses(&fine()), Verification::Optional).err(), Some(Refused::Unreadable));
    assert_eq!(prove(&credential, &authenticator.makes(&fine()), Verification::Optional), Err(Refused::Unreadable));
}

#[test]
fn a_key_is_stored_with_what_it_said() {
    let stored = Authenticator::new(-7).enrolled(&Bend { flags: 0x1d, ..Bend::default() });
    let key = &stored.config["credentials"][0];
    assert_eq!(
        key["flags"],
        json!({ "user_present": true, "user_verified": true, "backup_eligible": true, "backup_state": true })
    );
    assert_eq!(key["authenticator"], json!({ "aaguid": "AAAAAAAAAAAAAAAAAAAAAA==", "sign_count": 7, "clone_warning": false }));
    assert_eq!((&key["transport"], &key["attestation_type"]), (&json!(["usb", "internal"]), &json!("none")));
    assert_eq!((&key["display_name"], &key["is_passwordless"]), (&json!("blue"), &json!(false)));
}

#[test]
fn the_count_never_goes_back() {
    let flags = flags();
    for (stored, reported, suspicious, kept) in [
        (0, 0, false, 0),
        (0, 1, false, 1),
        (5, 6, false, 6),
        (5, 5, true, 5),
        (5, 4, true, 5),
        (5, 0, true, 5),
        (7, u32::MAX, false, u32::MAX),
    ] {
        let credential = credential(json!({ "id": "AAAA", "authenticator": { "sign_count": stored }, "made_by": "somebody" }));
        let key = keys(&credential).next().unwrap();
        let used = Asserted { sign_count: reported, flags };
        let after = key.after(&used);
        assert_eq!(after["authenticator"], json!({ "sign_count": kept, "clone_warning": suspicious }), "{stored} {reported}");
        assert_eq!(after["made_by"], "somebody");
    }
    let marked = credential(json!({ "id": "AAAA", "authenticator": { "sign_count": 1, "clone_warning": true } }));
    let used = Asserted { sign_count: 2, flags };
    assert!(keys(&marked).all(|key| key.after(&used)["authenticator"]["clone_warning"] == true), "a mark stays");
}

/// Flags as an answer brings them.
fn flags() -> data::Flags {
    let authenticator = Authenticator::new(-8);
    let credential = authenticator.enrolled(&Bend::default());
    prove(&credential, &authenticator.uses(&Bend::default()), Verification::Optional).unwrap().flags
}

#[test]
fn broken_and_hostile_answers_are_unreadable() {
    let authenticator = Authenticator::new(-7);
    let client = Bend::default().client("webauthn.create");
    let data = Bend::default().data(0x40, &authenticator.attested());
    let whole = object("none", &data);
    assert!(make(&answer_of_making(&client, &whole), Verification::Optional).is_ok());
    let refused = |object: &[u8]| make(&answer_of_making(&client, object), Verification::Optional).err();
    for length in 0..whole.len() {
        assert_eq!(refused(&whole[..length]), Some(Refused::Unreadable), "cut at {length}");
    }
    for length in 0..data.len() {
        assert_eq!(refused(&object("none", &data[..length])), Some(Refused::Unreadable), "data cut at {length}");
    }
    // Every byte may be anything: whatever comes of it is an answer and no panic.
    for at in 0..whole.len() {
        for byte in [0x00, 0x1b, 0x5f, 0x7f, 0x9f, 0xbb, 0xff] {
            let mut bent = whole.clone();
            bent[at] = byte;
            let _ = refused(&bent);
        }
    }
    let trailing = [whole.as_slice(), &[0]].concat();
    assert_eq!(refused(&trailing), Some(Refused::Unreadable));
    let long_id = [&[0; 16][..], &2000u16.to_be_bytes(), &[1; 2000], &authenticator.cose].concat();
    assert_eq!(refused(&object("none", &Bend::default().data(0x40, &long_id))), Some(Refused::Unreadable));
    for answer in ["", "{}", "null", "[]", "\"\"", "{\"id\":1}", &"[".repeat(200_000), &"9".repeat(MAX_ANSWER + 1)] {
        assert_eq!(make(answer, Verification::Optional).err(), Some(Refused::Unreadable), "{:.20}", answer);
    }
    let mut mixed: Value = serde_json::from_str(&authenticator.makes(&Bend::default())).unwrap();
    mixed["rawId"] = to_url(b"another id").into();
    assert_eq!(make(&mixed.to_string(), Verification::Optional).err(), Some(Refused::Unreadable));
    mixed["id"] = to_url(b"another id").into();
    assert_eq!(make(&mixed.to_string(), Verification::Optional).err(), Some(Refused::Unreadable), "the data names another key");
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let point = pair.public_key().as_ref()[1..].to_vec();
    let (x, y) = point.split_at(32);
    let point = |algorithm, curve, y| map(&[(1, int(2)), (3, int(algorithm)), (-1, int(curve)), (-2, bytes(x)), (-3, bytes(y))]);
    for cose in [
        // An algorithm that was not offered, another curve, too short a coordinate, no algorithm, another kind.
        point(-47, 1, y),
        point(-7, 2, y),
        point(-35, 1, y),
        point(-7, 1, &y[1..]),
        map(&[(1, int(2)), (-1, int(1)), (-2, bytes(x)), (-3, bytes(y))]),
        map(&[(1, int(4)), (3, int(-7)), (-1, int(1)), (-2, bytes(x)), (-3, bytes(y))]),
        map(&[(1, int(1)), (3, int(-8)), (-1, int(6)), (-2, bytes(&x[1..]))]),
        map(&[(1, int(3)), (3, int(-257)), (-1, bytes(&[1; 5000])), (-2, bytes(&[1, 0, 1]))]),
        bytes(x),
    ] {
        let authenticator = Authenticator { cose, private: Private::Ed25519(Ed25519KeyPair::generate().unwrap()) };
        let refused = make(&authenticator.makes(&Bend::default()), Verification::Optional).err();
        assert_eq!(refused, Some(Refused::Unreadable), "{:02x?}", &authenticator.cose);
    }
}

#[test]
fn options_are_what_browsers_take() {
    let key = credential(json!({ "id": "AQID", "transport": ["usb"] }));
    let wish = Creation { user_verification: "preferred", resident_key: Some("required"), ..Creation::default() };
    let user = User { handle: b"ada", name: "Ada" };
    let creation = creation(&site(), &wish, CHALLENGE, &user, keys(&key));
    let options = &creation["publicKey"];
    assert_eq!(options["excludeCredentials"], json!([{ "type": "public-key", "id": "AQID", "transports": ["usb"] }]));
    assert_eq!((options["timeout"].as_u64(), options["attestation"].as_str()), (Some(300_000), None));
    assert_eq!(options["pubKeyCredParams"].as_array().map(Vec::len), Some(OFFERED.len()));
    let selection = json!({ "requireResidentKey": true, "residentKey": "required", "userVerification": "preferred" });
    assert_eq!(options["authenticatorSelection"], selection);
    let request = request(&site(), "discouraged", None, CHALLENGE, std::iter::empty());
    assert_eq!((request["publicKey"]["timeout"].as_u64(), request["publicKey"].get("allowCredentials")), (Some(120_000), None));
}

#[test]
fn the_script_names_every_function_that_nodes_call() {
    let triggers =
        [Trigger::AddKey, Trigger::UseKey, Trigger::SignUp, Trigger::AddPasskey, Trigger::UsePasskey, Trigger::Autofill];
    for trigger in triggers {
        assert!(SCRIPT.contains(&format!("window.{} = ", trigger.name())), "{trigger:?}");
    }
    assert!(integrity().starts_with("sha512-"));
}

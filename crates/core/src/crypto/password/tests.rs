use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::*;
use crate::crypto::random::SeededRng;

const SECRET: &str = "Staple&Battery 42";

/// Hashes of `SECRET`, made by libxcrypt and OpenSSL.
const MADE: &[&str] = &[
    "$2b$05$abcdefghijklmnopqrstuu1GEkKzfAnpFQVFTaeddMRq2wI9k7/BW",
    "$2a$05$zyxwvutsrqponmlkjihgfev6LMiaCkHT3rm/4mzYwYrCoVsTf.Eg.",
    "$2y$05$0123456789ABCDEFGHIJKeVUl5PghJTLSs6UKoxLin3mpsPyLuzPy",
    "$1$pebble01$HlbUbtp9hufIiLu8nXJDs0",
    "$md5-crypt$pebble01$HlbUbtp9hufIiLu8nXJDs0",
    "$apr1$quartz$Bsg8ZOfO0yiiwpinoaB6N/",
    "$5$slate$Wwx0ia8eLrhUOAY8810eXjYPGTOF7EcYyqYnJbnO32B",
    "$sha256-crypt$rounds=1500$granite$kO1yjofSGiQfvbj8KnLNpg2FsUn6RXTdcGe/U42TUk7",
    "$6$rounds=1500$marble$UdxLzWO6YcyyitGqgU3ZGyqRj5FI9V7RhC1QFhUHKlHI9dUt6nJ3AjdaApDQIWciLgIq4pn4hr4SovntRRYSc0",
    "$sha512-crypt$basalt$AiS/1rUkJjx.KfpnNN61HWHRiqnO4xRl4Xs..i9bFv9.K4V6jtXQILRUqTwqZkLJKkgBl5P9D9w9ToeO5HMBf1",
    "$hmac-md4$ZGY0MGI5MWUyNzUwMzE5OTBhMTdiMTRlOGNhYjYwYTU=$ZmxpbnQta2V5",
];

/// The reference implementation's hashes of "password", and the example of Firebase's documentation ("user1password").
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const ARGON2I: &str = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";
const FIRESCRYPT: &str = "$firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==$Bw==$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";

/// PBKDF2 of `SECRET`, 200 rounds, salt `basalt-and-slate`.
const SHA3_OR_SHA2: [(&str, &str); 4] = [
    ("sha224", "da3cbc030c4e3fcc088a26be5072a7bc00c42f35537838254630641f"),
    ("sha224", "37d69b4025f6edce43a0aaa913cfb488ac90b3b6adfd15ef8c3e870f"),
    ("sha384", "aae5a162701b5fd701055070fe8f87e85072d626524b9d7406642fe009a3a131ba2d73c978f6f040ab447f9de6e61137"),
    ("sha384", "7e842f53f5110ee2eab7c24641b0786a68d147ebe956aca0e45f07a91f088df271e159632845a8607809721684b6488d"),
];
const HMAC_SHA256: &str = "96722e810fb2cf55c98f3bc2c7eb06e6c51bcff9d1819e42b4899bf8760665ed";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

fn bare(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

fn full(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Whether `hash` can be imported and `password` fits it.
fn fits(hash: &str, password: impl AsRef<[u8]>) -> bool {
    StoredHash::import(hash).unwrap_or_else(|e| panic!("{hash}: {e}")).verify(password.as_ref())
}

fn cheap(algorithm: Algorithm) -> HashSettings {
    let argon2 = Argon2Settings { memory_kib: 64, iterations: 1, parallelism: 1, salt_length: 16, key_length: 32 };
    HashSettings { algorithm, bcrypt_cost: 4, argon2 }
}

#[test]
fn hashes_of_other_programs_fit() {
    for hash in MADE {
        assert!(fits(hash, SECRET), "{hash}");
        assert!(!fits(hash, "staple&Battery 42") && !fits(hash, "") && !fits(hash, "Staple&Battery 42 "), "{hash}");
    }
}

#[test]
fn known_vectors_fit() {
    // RFC 6070: PBKDF2 with HMAC-SHA1.
    for (password, salt, rounds, key) in [
        ("password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        ("password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        ("password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
        (
            "passwordPASSWORDpassword",
            "saltSALTsaltSALTsaltSALTsaltSALTsalt",
            4096,
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
        ),
        ("pass\0word", "sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
    ] {
        let hash = format!("$pbkdf2-sha1$i={rounds},l=20${}${}", bare(salt.as_bytes()), bare(&unhex(key)));
        assert!(fits(&hash, password), "{hash}");
        assert!(!fits(&hash, "Password"), "{hash}");
    }
    // RFC 7914, section 11: PBKDF2 with HMAC-SHA256.
    let key = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    assert!(fits(&format!("$pbkdf2-sha256$i=1,l=64${}${}", bare(b"salt"), bare(&unhex(key))), "passwd"));
    // RFC 7914, section 12: scrypt.
    for (password, salt, n, r, key) in [
        (
            "",
            "",
            16,
            1,
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        ),
        (
            "pleaseletmein",
            "SodiumChloride",
            16384,
            8,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        ),
    ] {
        let hash = format!("$scrypt$ln={n},r={r},p=1${}${}", full(salt.as_bytes()), full(&unhex(key)));
        assert!(fits(&hash, password), "{hash}");
        assert!(!fits(&hash, "x"), "{hash}");
    }
    for hash in [ARGON2ID, ARGON2I] {
        assert!(fits(hash, "password") && !fits(hash, "Password"), "{hash}");
    }
    assert!(fits(FIRESCRYPT, "user1password") && !fits(FIRESCRYPT, "user2password"));
    // jBCrypt's test vectors.
    assert!(fits("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", ""));
    assert!(fits("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a"));
    assert!(fits("$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"));
    // Drepper's specification of SHA-2 crypt, and Apache's own example of its MD5.
    assert!(fits("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"));
    assert!(fits(
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!"
    ));
    assert!(fits("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "myPassword"));
}

#[test]
fn pbkdf2_knows_both_meanings_of_sha224_and_sha384() {
    for (name, key) in SHA3_OR_SHA2 {
        let hash = format!("$pbkdf2-{name}$i=200,l=32${}${}", bare(b"basalt-and-slate"), bare(&unhex(key)));
        assert!(fits(&hash, SECRET), "{name} {key}");
        assert!(!fits(&hash, "x"), "{name} {key}");
    }
}

#[test]
fn weak_makes_fit() {
    use sha2::Digest as _;
    let sha256 = |text: &str| sha2::Sha256::digest(text).to_vec();
    let sha1 = |text: &str| sha1::Sha1::digest(text).to_vec();
    let sha512 = |text: &str| sha2::Sha512::digest(text).to_vec();
    let md5 = |text: &str| md5::Md5::digest(text).to_vec();
    let salt = "basalt-and-slate";
    let (after, before) = (format!("{SECRET}{salt}"), format!("{salt}{SECRET}"));
    let ldap = |digest: Vec<u8>| full(&[digest, salt.as_bytes().to_vec()].concat());
    let pattern =
        |pattern: &str, digest: Vec<u8>| format!("pf={}${}${}", full(pattern.as_bytes()), full(salt.as_bytes()), full(&digest));
    let cases = [
        format!("{{SSHA}}{}", ldap(sha1(&after))),
        format!("{{SSHA256}}{}", ldap(sha256(&after))),
        format!("{{SSHA512}}{}", ldap(sha512(&after))),
        format!("$sha1${}", pattern("{SALT}{PASSWORD}", sha1(&before))),
        format!("$sha256${}", pattern("{PASSWORD}{SALT}", sha256(&after))),
        format!("$sha512${}", pattern("{SALT}${PASSWORD}${SALT}", sha512(&format!("{salt}${SECRET}${salt}")))),
        format!("$sha256${}", pattern("{PASSWORD}", sha256(SECRET))),
        format!("$md5${}", full(&md5(SECRET))),
        format!("$md5${}", pattern("{PASSWORD}--{SALT}", md5(&format!("{SECRET}--{salt}")))),
        // printf '%s' "$SECRET" | openssl dgst -sha256 -hmac flint-key
        format!("$hmac-sha256${}${}", full(HMAC_SHA256.as_bytes()), full(b"flint-key")),
    ];
    for hash in &cases {
        assert!(fits(hash, SECRET), "{hash}");
        assert!(!fits(hash, "wrong") && !fits(hash, ""), "{hash}");
    }
}

#[test]
fn placeholders_are_replaced_in_one_pass() {
    use sha2::Digest as _;
    let hash = |salt: &str, text: &str| {
        format!("$sha256$pf={}${}${}", full(b"{SALT}|{PASSWORD}"), full(salt.as_bytes()), full(&sha2::Sha256::digest(text)))
    };
    assert!(fits(&hash("{PASSWORD}", "{PASSWORD}|p"), "p"));
    assert!(!fits(&hash("{PASSWORD}", "p|p"), "p"));
    assert!(fits(&hash("s", "s|{SALT}"), "{SALT}"));
}

#[test]
fn unknown_unreadable_and_costly_hashes_are_told_apart() {
    let bcrypt = MADE[1];
    let argon2 = ARGON2ID;
    let fire = FIRESCRYPT;
    let pbkdf2 = "$pbkdf2-sha256$i=1000,l=32$c2FsdA$aGFzaA";
    let scrypt = "$scrypt$ln=1024,r=8,p=1$c2FsdA==$aGFzaA==";
    let unknown: Vec<String> =
        ["secret", "", "5f4dcc3b5aa765d61d8327deb882cf99", "$sha3$x$y", "$hmac-sha3$YQ==$YQ==", "{CLEARTEXT}x", "$2x$05$x"]
            .map(str::to_owned)
            .into_iter()
            .chain([argon2.replace("argon2id", "ARGON2ID"), format!(" {bcrypt}"), "$pbkdf2-md5$i=1,l=1$YQ$YQ".to_owned()])
            .collect();
    let unreadable = [
        bcrypt[..20].to_owned(),
        format!("{bcrypt}x"),
        bcrypt.replace("$05$", "$+5$"),
        bcrypt.replace("$05$", "$32$"),
        bcrypt.replace("$05$", "$03$"),
        format!("$2a$05${}", "ü".repeat(27)),
        "$argon2id$v=19$c2FsdA$aGFzaA".to_owned(),
        argon2.replace("v=19", "v=16"),
        argon2.replace("m=256,t=2,p=1", "m=256,t=2,p=1,p=1"),
        argon2.replace("m=256,t=2,p=1", "m=64,t=+2,p=1"),
        argon2.replace("t=2", "t=0"),
        argon2.replace("m=256", "m=4"),
        argon2.replace("m=256", "m=99999999999"),
        format!("{}!!!", &argon2[..argon2.len() - 3]),
        format!("{argon2}$"),
        "$pbkdf2-sha256$i=1000,l=32$c2FsdA".to_owned(),
        pbkdf2.replace("i=1000,", ""),
        "$scrypt$r=8,p=1$c2FsdA==$aGFzaA==".to_owned(),
        scrypt.replace("1024", "1000"),
        "$firescrypt$ln=10,r=8,p=1$c2FsdA==$aGFzaA==$Bw==".to_owned(),
        "$sha256-crypt$x".to_owned(),
        "$sha256-crypt$rounds=x$salt$aGFzaA".to_owned(),
        "$md5-crypt$salt$short".to_owned(),
        "$md5$!!!".to_owned(),
        "$md5$YQ==".to_owned(),
        "$sha1$YQ==$YQ==".to_owned(),
        format!("$sha1$pf={}$YQ==${}", full(b"{SALT}"), full(&[0; 20])),
        "$hmac-sha256$YQ==".to_owned(),
        "{SSHA}YQ==".to_owned(),
    ];
    let costly = [
        bcrypt.replace("$05$", "$16$"),
        bcrypt.replace("$05$", "$31$"),
        argon2.replace("m=256", "m=1048577"),
        argon2.replace("t=2", "t=11"),
        argon2.replace("m=256", "m=1024").replace("p=1", "p=17"),
        pbkdf2.replace("1000", "10000001"),
        pbkdf2.replace("1000", "0"),
        format!("$pbkdf2-sha1$i=1,l=32$c2FsdA${}", bare(&[0; 129])),
        scrypt.replace("1024", "262144"),
        scrypt.replace("r=8", "r=9"),
        scrypt.replace("p=1", "p=11"),
        scrypt.replace("r=8", "r=0"),
        fire.replace("ln=14", "ln=18"),
        fire.replace("ln=14", "ln=300"),
        "$sha256-crypt$rounds=999999999$granite$kO1yjofSGiQfvbj8KnLNpg2FsUn6RXTdcGe/U42TUk7".to_owned(),
    ];
    let error = |text: &str| StoredHash::import(text).err();
    for text in &unknown {
        assert_eq!(error(text), Some(FormatError::UnknownMake), "{text}");
    }
    for text in &unreadable {
        assert!(matches!(error(text), Some(FormatError::Unreadable(_))), "{text}: {:?}", error(text));
    }
    for text in &costly {
        assert!(matches!(error(text), Some(FormatError::TooCostly(_))), "{text}: {:?}", error(text));
    }
    for dear in [
        bcrypt.replace("$05$", "$15$"),
        argon2.replace("m=256", "m=1048576"),
        scrypt.replace("1024", "131072"),
        pbkdf2.replace("1000", "10000000"),
    ] {
        assert_eq!(error(&dear), None, "{dear}");
    }
}

#[test]
fn new_hashes_fit_and_have_the_known_form() {
    let rng = SeededRng::new(1);
    for (algorithm, start, other) in [
        (Algorithm::Bcrypt, "$2a$04$", Algorithm::Argon2id),
        (Algorithm::Argon2id, "$argon2id$v=19$m=64,t=1,p=1$", Algorithm::Bcrypt),
    ] {
        let settings = cheap(algorithm);
        let made = hash(&settings, &rng, &Secret::from(SECRET)).expect("it can be hashed");
        assert!(made.starts_with(start), "{made}");
        assert!(fits(&made, SECRET) && !fits(&made, "other"));
        assert_ne!(made, hash(&settings, &rng, &Secret::from(SECRET)).expect("it can be hashed"), "salts differ");
        let stored = StoredHash::parse(&made, &settings).expect("it can be read");
        assert!(stored.is_of(&settings) && !stored.is_of(&cheap(other)));
    }
    let argon2i = StoredHash::import(ARGON2I).expect("it can be read");
    assert!(!argon2i.is_of(&cheap(Algorithm::Argon2id)), "argon2i is replaced by argon2id");
}

#[test]
fn no_password_fits_by_being_cut_off() {
    let rng = SeededRng::new(1);
    let bcrypt = cheap(Algorithm::Bcrypt);
    let long = "x".repeat(72);
    let made = hash(&bcrypt, &rng, &Secret::from(long.as_str())).expect("72 bytes can be hashed");
    assert!(fits(&made, &long) && !fits(&made, "x".repeat(73)) && !fits(&made, "x".repeat(71)));
    let too_long = hash(&bcrypt, &rng, &Secret::new("x".repeat(73)));
    assert_eq!(too_long, Err(HashError::TooLong { max: 72, actual: 73 }));
    assert_eq!(hash(&bcrypt, &rng, &Secret::from("a\0b")), Err(HashError::ContainsNul));
    // "a", NUL repeats like "a", NUL, "a", NUL.
    let made = hash(&bcrypt, &rng, &Secret::from("a")).expect("it can be hashed");
    assert!(fits(&made, "a") && !fits(&made, "a\0a"));
    let argon2 = cheap(Algorithm::Argon2id);
    let made = hash(&argon2, &rng, &Secret::new("x".repeat(200))).expect("argon2 takes long ones");
    assert!(fits(&made, "x".repeat(200)) && !fits(&made, "x".repeat(199)));
    assert!(hash(&argon2, &rng, &Secret::new("x".repeat(MAX_LENGTH + 1))).is_err());
    for settings in [HashSettings { bcrypt_cost: 3, ..bcrypt }, HashSettings { bcrypt_cost: 32, ..bcrypt }] {
        assert_eq!(hash(&settings, &rng, &Secret::from("x")), Err(HashError::Settings("bcrypt")));
    }
}

#[test]
fn what_is_stored_may_be_dear_but_not_without_end() {
    let now = HashSettings::default();
    let dear = HashSettings {
        bcrypt_cost: 19,
        argon2: Argon2Settings { memory_kib: 2 << 20, iterations: 30, ..Argon2Settings::default() },
        ..now
    };
    let bcrypt = |cost: u32| MADE[1].replace("$05$", &format!("${cost}$"));
    let argon2 = |costs: &str| ARGON2ID.replace("m=256,t=2,p=1", costs);
    for (hash, by_default, by_dear) in [
        (bcrypt(16), true, true),
        (bcrypt(17), true, true),
        (bcrypt(18), false, true),
        (bcrypt(20), false, false),
        (bcrypt(31), false, false),
        (argon2("m=1048576,t=10,p=1"), true, true),
        (argon2("m=131072,t=60,p=200"), true, true),
        (argon2("m=1048576,t=11,p=1"), false, true),
        (argon2("m=2097152,t=30,p=4"), false, true),
        (argon2("m=2097153,t=1,p=4"), false, false),
        (argon2("m=4294967295,t=1,p=1"), false, false),
        (argon2("m=64,t=4294967295,p=1"), false, false),
    ] {
        for (settings, expected) in [(now, by_default), (dear, by_dear)] {
            assert_eq!(StoredHash::parse(&hash, &settings).is_ok(), expected, "{hash} {}", settings.bcrypt_cost);
        }
    }
}

#[test]
fn hostile_texts_are_refused_at_once() {
    let huge = "A".repeat(5 << 20);
    let began = std::time::Instant::now();
    let mut all = vec![
        format!("$argon2id$v=19$m=64,t=1,p=1${huge}${huge}"),
        format!("$pbkdf2-sha256$i=1,l=1${huge}$YQ"),
        format!("$hmac-sha256$YQ==${huge}"),
        format!("{{SSHA}}{huge}"),
        format!("$6${huge}$x"),
        format!("$md5${}", "$".repeat(1 << 20)),
        format!("$scrypt$ln=2,r=1,p=1$YQ==${huge}"),
    ];
    for number in ["NaN", "inf", "1e3", "0x10", "-1", "1.5", "", "99999999999999999999", "\u{661}"] {
        all.push(ARGON2ID.replace("t=2", &format!("t={number}")));
        all.push(format!("$scrypt$ln={number},r=8,p=1$c2FsdA==$aGFzaA=="));
        all.push(format!("$firescrypt$ln={number},r=8,p=1$c2FsdA==$aGFzaA==$Bw==$aGFzaA=="));
        all.push(format!("$pbkdf2-sha1$i={number},l=4$c2FsdA$aGFzaA"));
        all.push(format!("$sha512-crypt$rounds={number}$salt${}", "a".repeat(86)));
        all.push(MADE[1].replace("$05$", &format!("${number}$")));
    }
    for text in &all {
        let shown = text.get(..60).unwrap_or(text);
        assert!(StoredHash::import(text).is_err(), "{shown}");
        assert!(StoredHash::parse(text, &HashSettings::default()).is_err(), "{shown}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

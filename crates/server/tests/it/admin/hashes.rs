//! Passwords that were hashed elsewhere: every make signs in, and is replaced where the configured hasher does not make it.

use serde_json::{Value, json};

use super::made;
use crate::support::{Admin, Native, Person, TestApp, together};

const PASSWORD: &str = "Köln & 42 Staples";

/// Hashes of [`PASSWORD`] by other programs: Python's hashlib (PBKDF2, scrypt, digests, HMAC), libxcrypt (bcrypt, crypt),
/// argon2-cffi, passlib (Apache's MD5) and OpenSSL (AES of Firebase's scrypt, HMAC of MD4). Salts are `basalt-and-slate`, HMAC
/// keys `flint-key`.
const MADE: &[(&str, &str)] = &[
    ("bcrypt 2a", "$2a$05$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC"),
    ("bcrypt 2b", "$2b$05$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC"),
    ("bcrypt 2y", "$2y$05$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC"),
    ("argon2id", "$argon2id$v=19$m=128,t=2,p=2$YmFzYWx0LWFuZC1zbGF0ZQ$rRlccWH/5PmrsIB3dT5ABOdsYhr4rsWg"),
    ("argon2i", "$argon2i$v=19$m=64,t=3,p=1$YmFzYWx0LWFuZC1zbGF0ZQ$Y6JIItFNzAPiwDogFV+okWm8zvv7wwH4nwij6tNTeBY"),
    ("pbkdf2 sha1", "$pbkdf2-sha1$i=1500,l=20$YmFzYWx0LWFuZC1zbGF0ZQ$E2Y20N/VI7m94zGBkdsgIfDxJsM"),
    ("pbkdf2 sha224 (SHA-3)", "$pbkdf2-sha224$i=1500,l=28$YmFzYWx0LWFuZC1zbGF0ZQ$OD4DS4F3nsLmhZHowmpIqJ3Hs9GBG9y7cTsFyg"),
    ("pbkdf2 sha256", "$pbkdf2-sha256$i=1500,l=32$YmFzYWx0LWFuZC1zbGF0ZQ$co5XN2lJDSq1a7gHIhpafBdNi8MP8kD7jHEI6ke7SpY"),
    (
        "pbkdf2 sha384 (SHA-3)",
        "$pbkdf2-sha384$i=1500,l=48$YmFzYWx0LWFuZC1zbGF0ZQ$2b/6b87tVBGey7pxhZaKHMC+jgJcBaKQWEGtygESvD4J7jdbwcWweLhB6+JF7ZIL",
    ),
    (
        "pbkdf2 sha512",
        "$pbkdf2-sha512$i=1500,l=64$YmFzYWx0LWFuZC1zbGF0ZQ$vqDNjz2tZ27OtGQnS/NmiyXw7i0V/MNka6UsYhnh5KtcAaBC/4TZLuh+4Kfpzp2SWp1H1NznLzmQ/Bzg1ds7ww",
    ),
    ("pbkdf2 sha224 (SHA-2)", "$pbkdf2-sha224$i=1500,l=28$YmFzYWx0LWFuZC1zbGF0ZQ$bL8tjze8cCCe/9kWIwdkDkSvJ4Z++l4zkHfHLA"),
    (
        "pbkdf2 sha384 (SHA-2)",
        "$pbkdf2-sha384$i=1500,l=48$YmFzYWx0LWFuZC1zbGF0ZQ$Zdq7HUK6Ff5l6bFgNeSMesqeV+xaRENeUwV+3O5PFi6tC8Gje8m8OiCCLWKumlqV",
    ),
    (
        "scrypt",
        "$scrypt$ln=1024,r=8,p=2$YmFzYWx0LWFuZC1zbGF0ZQ==$0p17fL9Uoa/yKmF1hjRxlpmcYTJiNI5B8Jfz5jNKEKCBV6eHFG02C2ZErXkW6RU2",
    ),
    (
        "firescrypt",
        "$firescrypt$ln=11,r=8,p=1$YmFzYWx0LWFuZC1zbGF0ZQ==$Y6Ic4pLYfEknZIUYiA9YHIO4iUWkyxt9NUFVDWz30RZa5GR628U5kHWck+0Ekf55RKuCSAqpNRAs+AYuBycdng==$Bw==$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    ),
    ("crypt md5", "$1$pebble01$lzx/1Y0zDptlBzF8uN2VQ/"),
    ("md5-crypt", "$md5-crypt$pebble01$lzx/1Y0zDptlBzF8uN2VQ/"),
    ("crypt apr1", "$apr1$quartz$CRVFCJix2RKQmy9Abx8Js1"),
    ("crypt sha256-crypt", "$5$granite-of-bern$pYryHwE8rLY6/ZeN2yR09o2FSPoSVyXO/jvOxY9lzj1"),
    ("sha256-crypt", "$sha256-crypt$granite-of-bern$pYryHwE8rLY6/ZeN2yR09o2FSPoSVyXO/jvOxY9lzj1"),
    ("crypt sha256-crypt with rounds", "$5$rounds=1234$slate$7mg/0wW9ueOAKiWlx1915q9140TCzocWuA8NwKpK6V0"),
    ("sha256-crypt with rounds", "$sha256-crypt$rounds=1234$slate$7mg/0wW9ueOAKiWlx1915q9140TCzocWuA8NwKpK6V0"),
    (
        "crypt sha512-crypt",
        "$6$granite-of-bern$cFzd/PvygRqiCe2t6GToHzgR6km5mTObJ7AHkoNb9PBbKjwO3oqcLw7VOjZzZjChqaJUSFA5xl2WXpkUto2T2/",
    ),
    (
        "sha512-crypt",
        "$sha512-crypt$granite-of-bern$cFzd/PvygRqiCe2t6GToHzgR6km5mTObJ7AHkoNb9PBbKjwO3oqcLw7VOjZzZjChqaJUSFA5xl2WXpkUto2T2/",
    ),
    (
        "crypt sha512-crypt with rounds",
        "$6$rounds=1234$slate$EBx.B4sKASpiL7/Oadz7Fk.8rkXPEK1XAc4YRTfRZvf4OeTcZmzPzRVobmrVBjCAvkH9MW0gHdA/3wIFpgg/j0",
    ),
    (
        "sha512-crypt with rounds",
        "$sha512-crypt$rounds=1234$slate$EBx.B4sKASpiL7/Oadz7Fk.8rkXPEK1XAc4YRTfRZvf4OeTcZmzPzRVobmrVBjCAvkH9MW0gHdA/3wIFpgg/j0",
    ),
    ("SSHA", "{SSHA}u1DZYZqr6Kq1E6It2TzSd/mQk8NiYXNhbHQtYW5kLXNsYXRl"),
    ("SSHA256", "{SSHA256}61cddxUPo9gQNIWT0Q4l2Saeg0I4ak9kwEhMVK0CiYxiYXNhbHQtYW5kLXNsYXRl"),
    (
        "SSHA512",
        "{SSHA512}4rmZ7qXRZpb9Nr0uie87Az8urltM5vf0zA2GFj9mi6qgzGR25aPudrKKV8awVAd5FK5A+YprPJh1DbgM7PnCPWJhc2FsdC1hbmQtc2xhdGU=",
    ),
    ("sha1 with a pattern", "$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$YmFzYWx0LWFuZC1zbGF0ZQ==$VTHKQhTCsXL8TQKzy2vc2fXdB/8="),
    (
        "sha256 with a pattern",
        "$sha256$pf=e1BBU1NXT1JEfSR7U0FMVH0=$YmFzYWx0LWFuZC1zbGF0ZQ==$0FtwGNVJKcrq8CLCw76e8d49mywNhZtCYslJd8EipR8=",
    ),
    (
        "sha512 with a pattern",
        "$sha512$pf=YXtTQUxUfWJ7UEFTU1dPUkR9Y3tTQUxUfQ==$YmFzYWx0LWFuZC1zbGF0ZQ==$JRD0Yskqv597llxoVJqR5CS1pncvP6w+Pt09yjnWn+mcPeU6F2L+9+hvSTUkBFCx5wtkVzx9ureBqOqSyOrihA==",
    ),
    ("md5 with a pattern", "$md5$pf=e1BBU1NXT1JEfXtTQUxUfQ==$YmFzYWx0LWFuZC1zbGF0ZQ==$y3RAZypIkOXGQuwZoLkvUw=="),
    ("md5", "$md5$sGcR4hAPeORWjNEE5Swf9w=="),
    ("hmac-md4", "$hmac-md4$OTVlNTA0MGFmZDE3ODZmMTEzN2MwNjdjMzdkYTE0ZTg=$ZmxpbnQta2V5"),
    ("hmac-md5", "$hmac-md5$NWM2NzliNzRhNzk0ZTBkODI5ZTNmYTE2YTkwYzcwNDQ=$ZmxpbnQta2V5"),
    ("hmac-sha1", "$hmac-sha1$ZWI5YmQzMGMyZGQ4ODYzYjAxZDIwNzA1MTllMDk4OTEyZGYxNTA4Yg==$ZmxpbnQta2V5"),
    ("hmac-sha224", "$hmac-sha224$MzNhMDZjMmY2Y2RjZjYyNmEzZmRhNWY1M2EzMmM0YTgxNzQxNTM4OTdkN2MwNGE3N2M4NThjNzk=$ZmxpbnQta2V5"),
    (
        "hmac-sha256",
        "$hmac-sha256$ZTRmYjM1YzNjNTZkZmY3NDExYjU4N2Y1ODNiNDI3MmM5ZjRjNzJhOWY2MzJlZTBkZDcwOWYxYWI5YzdkMGY4Mw==$ZmxpbnQta2V5",
    ),
    (
        "hmac-sha384",
        "$hmac-sha384$ZDliYTE5Nzk2MzMzZDJlYjFiZDU2ZDZmZjg5MWUyZmNhYTZkMjk0ZjE1MzlkZjgzYTkwYmQ2YzdhYzM1OTQzMjQ2OTI0OWNlN2Y2ODhlYzMwN2JkNjAyNzJiMzUzY2Zm$ZmxpbnQta2V5",
    ),
    (
        "hmac-sha512",
        "$hmac-sha512$ZjYxMDNlMWIzZWU2NzExZTFlYjk5YTA0YWEzMTE0NDA2ZjIyMTEzMTUzZmJmNTQ1ZGU4ZTU2N2IwNTg1Y2JlYzc0NmQ5MTBhODA1ZGU3Zjg3YjQ1ZWRiOTA2NGMxOThlYTExMmM1YzAxMzJjYjFiMzI0Mzg0MGVkNzc1ZDQwNzg=$ZmxpbnQta2V5",
    ),
];

/// What each hasher of the configuration makes, and the makes that it leaves as they are.
fn hashers() -> [(Value, &'static str, &'static [&'static str]); 2] {
    let argon2 = json!({ "memory": "64KB", "iterations": 1, "parallelism": 1 });
    [
        (json!({ "algorithm": "bcrypt", "bcrypt": { "cost": 4 } }), "$2a$04$", &["$2a$", "$2b$", "$2y$"]),
        (json!({ "algorithm": "argon2", "argon2": argon2 }), "$argon2id$v=19$m=64,t=1,p=1$", &["$argon2id$"]),
    ]
}

async fn import(admin: &Admin<'_>, email: &str, hash: &str) -> String {
    let config = json!({ "hashed_password": hash });
    made(admin, &json!({ "traits": { "email": email }, "credentials": { "password": { "config": config } } })).await
}

async fn stored(admin: &Admin<'_>, id: &str) -> String {
    let who = admin.get(&format!("/admin/identities/{id}?include_credential=password")).await.json();
    let config = &who["credentials"]["password"]["config"];
    assert_eq!(config.as_object().unwrap().len(), 1, "{config}");
    config["hashed_password"].as_str().unwrap().to_owned()
}

fn person(email: &str, password: &str) -> Person {
    let mut who = Person::named("x");
    (who.email, who.password) = (email.to_owned(), password.to_owned());
    who
}

#[tokio::test]
async fn every_make_signs_in_and_becomes_one_of_the_configured_hasher() {
    for (hashers, start, own) in hashers() {
        let app = TestApp::with(json!({ "hashers": hashers })).await;
        let admin = Admin::new(&app);
        for (place, (name, hash)) in MADE.iter().enumerate() {
            let email = format!("person-{place}@example.org");
            let id = import(&admin, &email, hash).await;
            assert_eq!(stored(&admin, &id).await, *hash, "{name}: kept until the first sign-in");
            let wrong = Native::new(&app).try_sign_in(&person(&email, "Köln & 42 Staples ")).await;
            assert_eq!(wrong.told(), [4_000_006], "{name}");
            assert_eq!(stored(&admin, &id).await, *hash, "{name}: a wrong password changes nothing");
            let first = Native::new(&app).try_sign_in(&person(&email, PASSWORD)).await;
            assert_eq!(first.status, 200, "{name}: {first:?}");
            let kept = stored(&admin, &id).await;
            if own.iter().any(|make| hash.starts_with(make)) {
                assert_eq!(kept, *hash, "{name}: the same make with another cost stays");
            } else {
                assert!(kept.starts_with(start), "{name}: {kept}");
            }
            let second = Native::new(&app).try_sign_in(&person(&email, PASSWORD)).await;
            assert_eq!(second.status, 200, "{name}: {second:?}");
            assert_eq!(stored(&admin, &id).await, kept, "{name}");
        }
    }
}

#[tokio::test]
async fn a_password_that_bcrypt_cannot_take_keeps_its_hash() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    // printf '%s' "$(printf 'long%.0s' $(seq 25))" | openssl dgst -md5 -binary | base64
    let long = "long".repeat(25);
    let hash = "$md5$1yT42DISv5gq9leVF+8y+A==";
    let id = import(&admin, "long@example.org", hash).await;
    for _ in 0..2 {
        let answer = Native::new(&app).try_sign_in(&person("long@example.org", &long)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(stored(&admin, &id).await, hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_sign_ins_at_once_all_succeed_and_leave_one_good_hash() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let (_, hash) = MADE.iter().find(|(name, _)| *name == "SSHA512").unwrap();
    let id = import(&admin, "a@example.org", hash).await;
    let answers = together(6, |_| {
        let app = &app;
        async move { Native::new(app).try_sign_in(&person("a@example.org", PASSWORD)).await.status }
    });
    assert_eq!(answers, [200; 6]);
    assert!(stored(&admin, &id).await.starts_with("$2a$04$"));
    assert_eq!(Native::new(&app).try_sign_in(&person("a@example.org", PASSWORD)).await.status, 200);
}

#[tokio::test]
async fn hostile_hashes_are_refused_wherever_they_come_in() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = made(&admin, &json!({ "traits": { "email": "a@example.org" } })).await;
    let one = format!("/admin/identities/{id}");
    let huge = "A".repeat(1 << 20);
    let began = std::time::Instant::now();
    for hash in [
        "$2a$31$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC".to_owned(),
        "$2a$NaN$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC".to_owned(),
        "$argon2id$v=19$m=4294967295,t=1,p=1$YmFzYWx0LWFuZC1zbGF0ZQ$rRlccWH/5PmrsIB3dT5ABOdsYhr4rsWg".to_owned(),
        "$argon2id$v=19$m=64,t=4294967295,p=1$YmFzYWx0LWFuZC1zbGF0ZQ$rRlccWH/5PmrsIB3dT5ABOdsYhr4rsWg".to_owned(),
        format!("$argon2id$v=19$m=64,t=1,p=1$YmFzYWx0LWFuZC1zbGF0ZQ${huge}"),
        "$pbkdf2-sha512$i=4000000000,l=64$YQ$YmFzYWx0".to_owned(),
        format!("$pbkdf2-sha512$i=1,l=64$YQ${huge}"),
        "$scrypt$ln=1073741824,r=8,p=1$YQ==$YmFzYWx0".to_owned(),
        "$scrypt$ln=16,r=4294967295,p=4294967295$YQ==$YmFzYWx0".to_owned(),
        "$firescrypt$ln=63,r=8,p=1$YQ==$YQ==$Bw==$YQ==".to_owned(),
        format!("$sha512-crypt$rounds=999999999$slate${}", "a".repeat(86)),
        format!("$hmac-sha256$YQ==${huge}"),
        "$md5$not base64".to_owned(),
        "plain text".to_owned(),
    ] {
        let credentials = json!({ "password": { "config": { "hashed_password": hash } } });
        let shown = hash.get(..40).unwrap_or(&hash);
        let create = json!({ "traits": { "email": "b@example.org" }, "credentials": credentials });
        let patch = json!([{ "op": "add", "path": "/credentials/password/config/hashed_password", "value": hash }]);
        for (method, path, body) in [
            ("POST", "/admin/identities", create.clone()),
            ("PUT", one.as_str(), json!({ "traits": { "email": "a@example.org" }, "credentials": credentials })),
            ("PATCH", one.as_str(), patch),
            ("PATCH", "/admin/identities", json!({ "identities": [{ "create": create }] })),
        ] {
            let answer = admin.send(method, path, &body).await;
            assert_eq!(answer.status, 400, "{method} {path} {shown}: {answer:?}");
            assert!(answer.body.len() < 2000, "{method} {shown}: the hash is not repeated");
        }
    }
    assert!(began.elapsed().as_secs() < 20, "nothing of it is computed: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_hostile_hash_that_is_stored_already_is_a_wrong_password() {
    use portcullis_model::credential::CredentialType;
    use portcullis_store::{Changes, credentials, identities};

    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    for (place, hash) in [
        json!("$2a$31$abcdefghijklmnopqrstuuuK8qtjFt1sbfTz8WVMjTlIKLUJPZzNC"),
        json!("$argon2id$v=19$m=4294967295,t=1,p=1$YmFzYWx0LWFuZC1zbGF0ZQ$rRlccWH/5PmrsIB3dT5ABOdsYhr4rsWg"),
        json!("$argon2i$v=19$m=1048576,t=4294967295,p=1$YmFzYWx0LWFuZC1zbGF0ZQ$rRlccWH/5PmrsIB3dT5ABOdsYhr4rsWg"),
        json!("$scrypt$ln=1073741824,r=8,p=1$YQ==$YmFzYWx0"),
        json!("$argon2id$"),
        json!("A".repeat(1 << 20)),
        json!(7),
        json!({ "$2a$": 1 }),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{place}@example.org");
        let id = import(&admin, &email, MADE[0].1).await.parse().unwrap();
        let who = identities::get_with_credentials(&app.app.store, id).await.unwrap().unwrap();
        let old = &who.credential(CredentialType::Password).unwrap().config;
        let mut changes = Changes::new();
        let new = json!({ "hashed_password": hash });
        credentials::replace_config(&mut changes, id, CredentialType::Password, &new, old, app.app.clock.now());
        app.app.store.commit(changes).await.unwrap();
        let began = std::time::Instant::now();
        let answer = Native::new(&app).try_sign_in(&person(&email, PASSWORD)).await;
        assert_eq!(answer.told(), [4_000_006], "{place}: {answer:?}");
        assert!(began.elapsed().as_secs() < 10, "{place}: {:?}", began.elapsed());
    }
}

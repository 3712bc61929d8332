use portcullis_model::time::Timestamp;

use super::*;
use crate::crypto::random::SeededRng;

fn device(secret: &[u8], more: &str) -> Device {
    Device::of_url(&format!("otpauth://totp/x:y?secret={}{more}", BASE32_NOPAD.encode(secret))).unwrap()
}

#[test]
fn codes_are_those_of_rfc_6238() {
    let sha1 = device(b"12345678901234567890", "&digits=8");
    let sha256 = device(b"12345678901234567890123456789012", "&digits=8&algorithm=SHA256");
    let sha512 = device(b"1234567890123456789012345678901234567890123456789012345678901234", "&digits=8&algorithm=sha512");
    for (seconds, codes) in [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ] {
        for (device, code) in [&sha1, &sha256, &sha512].into_iter().zip(codes) {
            assert_eq!(device.code(device.step_at(Timestamp::from_seconds(seconds))), code, "{seconds} {device:?}");
        }
    }
}

#[test]
fn codes_of_neighbouring_steps_are_taken_and_none_twice() {
    let device = device(b"12345678901234567890", "");
    let now = Timestamp::from_seconds(30 * 1000 + 7);
    for (step, last, taken) in [
        (998, None, false),
        (999, None, true),
        (1000, None, true),
        (1001, None, true),
        (1002, None, false),
        (1000, Some(999), true),
        (1000, Some(1000), false),
        (999, Some(1000), false),
        (1001, Some(1000), true),
    ] {
        let found = device.step_of(&device.code(step), now, last);
        assert_eq!(found, taken.then_some(step), "step {step} after {last:?}");
    }
}

#[test]
fn spaces_do_not_matter_and_other_things_do() {
    let device = device(b"12345678901234567890", "");
    let now = Timestamp::from_seconds(59);
    assert_eq!(device.code(1), "287082");
    for (typed, right) in
        [("287082", true), (" 287 082\n", true), ("28708", false), ("2870820", false), ("", false), ("२८७०८२", false)]
    {
        assert_eq!(device.step_of(typed, now, None).is_some(), right, "{typed:?}");
    }
}

#[test]
fn a_url_is_read_as_it_was_made() {
    let secret = new_secret(&SeededRng::new(7));
    assert_eq!(secret.len(), 32);
    let url = url(&secret, "Parity & Works", "ada@example.org?");
    assert!(url.starts_with("otpauth://totp/Parity%20%26%20Works:ada@example.org%3F?algorithm=SHA1&digits=6&"), "{url}");
    let device = Device::of_url(&url).unwrap();
    assert_eq!(BASE32_NOPAD.encode(&device.secret), secret);
    assert_eq!((device.algorithm, device.digits, device.period), (Algorithm::Sha1, 6, 30));
    assert_ne!(secret, new_secret(&SeededRng::new(8)));
}

#[test]
fn odd_urls_are_no_devices() {
    let secret = "secret=JBSWY3DPEHPK3PXP";
    for good in [
        format!("otpauth://totp/x?{secret}"),
        format!("otpauth://totp/x:y?{secret}&issuer=x&digits=7&period=60&algorithm=SHA256"),
        "otpauth://totp/x?secret=jbsw%20y3dp%20ehpk%203pxp".to_owned(),
        "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJA======".to_owned(),
    ] {
        assert!(Device::of_url(&good).is_some(), "{good}");
    }
    for bad in [
        String::new(),
        "otpauth://totp/x".to_owned(),
        "otpauth://totp/x?secret=".to_owned(),
        "otpauth://totp/x?secret=0189".to_owned(),
        format!("https://totp/x?{secret}"),
        format!("otpauth://hotp/x?{secret}&counter=0"),
        format!("otpauth://totp/x?{secret}&period=0"),
        format!("otpauth://totp/x?{secret}&digits=0"),
        format!("otpauth://totp/x?{secret}&digits=99999999999"),
        format!("otpauth://totp/x?{secret}&algorithm=MD5"),
    ] {
        assert!(Device::of_url(&bad).is_none(), "{bad}");
    }
}

#[test]
fn its_secret_is_in_no_debug_output() {
    let device = device(b"12345678901234567890", "");
    assert!(!format!("{device:?}").contains("49, 50"), "{device:?}");
}

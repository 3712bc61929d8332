//! Every message of the contract, with its type and the keys of its context.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Message, MessageType, label, login, recovery, registration, settings, system, validation, verification};
use crate::time::Timestamp;

/// Each message once, made with made-up arguments.
fn all() -> Vec<Message> {
    let at = Timestamp::from_seconds(1_700_000_000);
    let (five, six) = (json!(5), json!(6));
    let account = login::Linkable {
        duplicate_identifier: "ada@example.org",
        provider: "Hub",
        new_login_url: "https://example.org/login",
        available_credential_types: &["password"],
        available_providers: &["hub"],
    };
    vec![
        login::sign_in(),
        login::sign_in_with("Hub", "hub"),
        login::refresh(),
        login::second_factor(),
        login::check_second_factor(),
        login::totp_code(),
        login::lookup_code(),
        login::use_security_key(),
        login::use_totp(),
        login::use_lookup(),
        login::proceed_with_security_key(),
        login::prepare_security_key(),
        login::proceed(),
        login::code_sent(),
        login::send_code(),
        login::sign_in_to_link(&account),
        login::sign_in_and_link(),
        login::sign_in_with_and_link("Hub"),
        login::send_second_factor_code(),
        login::second_factor_address(),
        login::sign_in_with_passkey(),
        login::sign_in_with_password(),
        login::send_code_to("ada@example.org", "email"),
        login::sign_in_with_device(),
        login::code_sent_to_signed_in(),
        registration::sign_up(),
        registration::sign_up_with("Hub", "hub"),
        registration::proceed(),
        registration::sign_up_with_security_key(),
        registration::code_sent(),
        registration::send_code(),
        registration::sign_up_with_passkey(),
        registration::back(),
        registration::choose_credential(),
        settings::saved(),
        settings::link("Hub"),
        settings::unlink("Hub"),
        settings::remove_totp(),
        settings::totp_qr(),
        settings::totp_secret("secret"),
        settings::show_lookup_codes(),
        settings::new_lookup_codes(),
        settings::lookup_code("secret"),
        settings::lookup_codes_label(),
        settings::confirm_lookup_codes(),
        settings::add_security_key(),
        settings::security_key_name(),
        settings::used_lookup_code(at),
        settings::lookup_codes(&[settings::lookup_code("secret"), settings::used_lookup_code(at)]),
        settings::remove_lookup_codes(),
        settings::totp_secret_label(),
        settings::remove_security_key("blue", at),
        settings::add_passkey(),
        settings::remove_passkey("blue", at),
        settings::remove_device_key(),
        settings::device_nonce(),
        settings::managed_by_organization(),
        recovery::recovered(at),
        recovery::link_sent(),
        recovery::code_sent(),
        recovery::code_sent_to("a****@example.org"),
        recovery::enter_whole_address(),
        recovery::choose_address(),
        recovery::back(),
        label::password(),
        label::trait_title("E-mail", "traits.email"),
        label::save(),
        label::identifier(),
        label::submit(),
        label::code(),
        label::email(),
        label::resend(),
        label::proceed(),
        label::recovery_code(),
        label::verification_code(),
        label::registration_code(),
        label::login_code(),
        label::login_and_link(),
        label::captcha(),
        label::recovery_address(),
        label::phone(),
        label::email_or_phone(),
        verification::link_sent(),
        verification::verified(),
        verification::code_sent(),
        verification::code_sent_by_sms(),
        verification::phone_verified(),
        validation::generic("why"),
        validation::required("email"),
        validation::too_short(3, 2),
        validation::pattern("^a$"),
        validation::password_refused("why"),
        login::wrong_credentials(),
        registration::account_exists(),
        login::wrong_totp(),
        registration::no_identifier(),
        login::address_not_verified(),
        login::no_totp(),
        login::lookup_code_used(),
        login::no_security_key(),
        login::no_lookup_codes(),
        login::unknown_security_key(),
        login::wrong_lookup_code(),
        validation::too_long(3, 4),
        validation::below_minimum(&six, &five),
        validation::not_above(&six, &five),
        validation::above_maximum(&five, &six),
        validation::not_below(&five, &six),
        validation::not_multiple_of(&five, &six),
        validation::too_many_items(1, 2),
        validation::too_few_items(1, 0),
        validation::repeated_items(0, 1),
        validation::wrong_type(&["string"], "number"),
        registration::account_exists_link_in_settings(),
        registration::account_exists_with(&["password"], &[], "ada@example.org"),
        validation::must_equal("true"),
        validation::must_equal_a_constant(),
        validation::password_like_identifier(),
        validation::password_too_short(8, 7),
        validation::password_too_long(72, 73),
        validation::password_breached(9),
        login::no_code_account(),
        registration::traits_changed(),
        login::unknown_identifier(),
        registration::captcha_failed(),
        settings::same_password(),
        validation::not_an_email("x"),
        validation::not_a_phone_number("x"),
        login::no_device_key(),
        login::wrong_security_key(),
        login::wrong_device_key(),
        login::device_attestation_lapsed(),
        login::device_enrolment_needed(),
        login::expired(at),
        login::no_method(),
        registration::no_method(),
        settings::no_method(),
        recovery::no_method(),
        verification::no_method(),
        login::already_done(),
        login::wrong_code(),
        login::other_account(),
        login::unknown_address(),
        login::account_disabled(),
        registration::expired(at),
        registration::already_done(),
        registration::wrong_code(),
        settings::expired(at),
        settings::too_many_addresses(),
        recovery::already_done(),
        recovery::failed(),
        recovery::token_missing(),
        recovery::wrong_link(),
        recovery::expired(at),
        recovery::wrong_code(),
        verification::wrong_link(),
        verification::already_done(),
        verification::failed(),
        verification::token_missing(),
        verification::expired(at),
        verification::wrong_code(),
        system::generic("why"),
        system::no_methods(),
        system::organization_without_provider(),
    ]
}

/// First id, last id, type: every id between them is a message. Two of verification are successes, see [`expected_type`].
const RANGES: [(u32, u32, MessageType); 15] = [
    (1_010_001, 1_010_025, MessageType::Info),
    (1_040_001, 1_040_009, MessageType::Info),
    (1_050_001, 1_050_001, MessageType::Success),
    (1_050_002, 1_050_023, MessageType::Info),
    (1_060_001, 1_060_001, MessageType::Success),
    (1_060_002, 1_060_007, MessageType::Info),
    (1_070_001, 1_070_018, MessageType::Info),
    (1_080_001, 1_080_005, MessageType::Info),
    (4_000_001, 4_000_046, MessageType::Error),
    (4_010_001, 4_010_011, MessageType::Error),
    (4_040_001, 4_040_003, MessageType::Error),
    (4_050_001, 4_050_002, MessageType::Error),
    (4_060_001, 4_060_006, MessageType::Error),
    (4_070_001, 4_070_006, MessageType::Error),
    (5_000_001, 5_000_003, MessageType::Error),
];

/// The keys of the contexts that are not empty.
const CONTEXTS: [(u32, &[&str]); 44] = [
    (1_010_002, &["provider", "provider_id"]),
    (
        1_010_016,
        &[
            "duplicateIdentifier",
            "provider",
            "newLoginUrl",
            "duplicate_identifier",
            "new_login_url",
            "available_credential_types",
            "available_providers",
        ],
    ),
    (1_010_018, &["provider"]),
    (1_010_023, &["address", "channel"]),
    (1_040_002, &["provider", "provider_id"]),
    (1_050_002, &["provider"]),
    (1_050_003, &["provider"]),
    (1_050_006, &["secret"]),
    (1_050_009, &["secret"]),
    (1_050_014, &["used_at", "used_at_unix"]),
    (1_050_015, &["secrets"]),
    (1_050_018, &["display_name", "added_at", "added_at_unix"]),
    (1_050_020, &["display_name", "added_at", "added_at_unix"]),
    (1_060_001, &["privilegedSessionExpiresAt", "privileged_session_expires_at", "privileged_session_expires_at_unix"]),
    (1_060_004, &["masked_address"]),
    (1_070_002, &["title", "name"]),
    (4_000_001, &["reason"]),
    (4_000_002, &["property"]),
    (4_000_003, &["min_length", "actual_length"]),
    (4_000_004, &["pattern"]),
    (4_000_005, &["reason"]),
    (4_000_017, &["max_length", "actual_length"]),
    (4_000_018, &["minimum", "actual"]),
    (4_000_019, &["minimum", "actual"]),
    (4_000_020, &["maximum", "actual"]),
    (4_000_021, &["maximum", "actual"]),
    (4_000_022, &["base", "actual"]),
    (4_000_023, &["max_items", "actual_items"]),
    (4_000_024, &["min_items", "actual_items"]),
    (4_000_025, &["index_a", "index_b"]),
    (4_000_026, &["allowed_types", "actual_type"]),
    (4_000_028, &["available_credential_types", "available_oidc_providers", "credential_identifier_hint"]),
    (4_000_029, &["expected"]),
    (4_000_032, &["min_length", "actual_length"]),
    (4_000_033, &["max_length", "actual_length"]),
    (4_000_034, &["breaches"]),
    (4_000_040, &["value"]),
    (4_000_041, &["value"]),
    (4_010_001, &["expired_at", "expired_at_unix"]),
    (4_040_001, &["expired_at", "expired_at_unix"]),
    (4_050_001, &["expired_at", "expired_at_unix"]),
    (4_060_005, &["expired_at", "expired_at_unix"]),
    (4_070_005, &["expired_at", "expired_at_unix"]),
    (5_000_001, &["reason"]),
];

fn expected_type(id: u32) -> Option<MessageType> {
    if matches!(id, 1_080_002 | 1_080_005) {
        return Some(MessageType::Success);
    }
    RANGES.iter().find(|(first, last, _)| (*first..=*last).contains(&id)).map(|(_, _, kind)| *kind)
}

#[test]
fn every_message_of_the_contract_is_made_once() {
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    for message in all() {
        *times.entry(message.id).or_default() += 1;
    }
    let expected: Vec<u32> = RANGES.iter().flat_map(|(first, last, _)| *first..=*last).collect();
    assert_eq!(times.keys().copied().collect::<Vec<_>>(), expected);
    assert!(times.values().all(|n| *n == 1), "{times:?}");
}

#[test]
fn types_and_contexts_are_those_of_the_contract() {
    for message in all() {
        assert_eq!(Some(message.kind), expected_type(message.id), "{}", message.id);
        let keys: Vec<&str> = message.context.keys().map(String::as_str).collect();
        let expected = CONTEXTS.iter().find(|(id, _)| *id == message.id).map_or(&[][..], |(_, keys)| keys);
        assert_eq!(keys, expected, "{}", message.id);
        assert!(!message.text.is_empty(), "{}", message.id);
    }
}

#[test]
fn times_are_text_and_seconds() {
    let context = json!({ "expired_at": "2023-11-14T22:13:20Z", "expired_at_unix": 1_700_000_000 });
    assert_eq!(serde_json::to_value(login::expired(Timestamp::from_seconds(1_700_000_000))).unwrap()["context"], context);
}

#[test]
fn a_message_without_context_has_none_in_json() {
    assert_eq!(serde_json::to_value(label::password()).unwrap(), json!({ "id": 1_070_001, "text": "Password", "type": "info" }));
}

//! Every sentence of the built-in pages that does not come from a flow, in one place for whoever translates them.
//!
//! Texts say what happened and what to do next, and never name parts of the program.

use portcullis_model::error::ErrorId;
use portcullis_model::flow::{FlowKind, FlowState};
use portcullis_model::ui::Group;
use portcullis_store::outbox::MessageStatus;

/// The language of these texts (BCP 47).
pub(super) const LANGUAGE: &str = "en";
/// The first link of a page, for those who use a keyboard.
pub(super) const SKIP: &str = "Skip to the content";
/// Marks a page's title when something on it must be mended.
pub(super) const ERROR_PREFIX: &str = "Error: ";
/// Between ways of doing the same thing.
pub(super) const OR: &str = "or";
/// Names the links at the top.
pub(super) const ACCOUNT: &str = "Your account";
/// Names the links below a form.
pub(super) const FURTHER: &str = "Other things to do";
/// Button that shows a password.
pub(super) const SHOW: &str = "Show";
/// Button that hides it again.
pub(super) const HIDE: &str = "Hide";
/// Marks a field that may be left empty.
pub(super) const OPTIONAL: &str = "(optional)";
/// Beside buttons that only work with a script.
pub(super) const NEEDS_SCRIPT: &str = "Passkeys and security keys need JavaScript, which is switched off in your browser.";
/// Of a field for date and time.
pub(super) const DATE_TIME_HINT: &str = "Date, time and offset from UTC, such as 2026-01-31T14:30:00Z.";
/// The choice of no value.
pub(super) const NO_CHOICE: &str = "Choose …";

/// Label of a password that takes the place of another one.
pub(super) const NEW_PASSWORD: &str = "New password";
/// Above the list of fields that must be mended.
pub(super) const TO_MEND: &str = "Some fields need another look:";
/// Before a message that something is wrong, for those who do not see its colour.
pub(super) const ERROR: &str = "Error:";
/// Where a change in the settings waits for this sign-in.
pub(super) const CHANGE_WAITS: &str = "Your change is not lost: it is finished as soon as you have signed in.";

/// Names the settings' table of contents.
pub(super) const CONTENTS: &str = "Parts of the settings";
/// Where a script kept what was typed into other parts of the settings.
pub(super) const KEPT: &str = "What you had typed in other parts of this page is still here. It is not saved yet.";
/// Of a second factor that is set up.
pub(super) const IS_ON: &str = "On";
/// Of a second factor that is not set up.
pub(super) const IS_OFF: &str = "Off";
/// Before the time since when something is there.
pub(super) const ADDED: &str = "Added";
/// Button that takes a key away.
pub(super) const REMOVE: &str = "Remove";
/// Button that takes a connected account away.
pub(super) const DISCONNECT: &str = "Disconnect";
/// Button that connects an account elsewhere.
pub(super) const CONNECT: &str = "Connect";
/// Beside an account elsewhere that is connected.
pub(super) const CONNECTED: &str = "Connected";
/// Below the list of connected accounts.
pub(super) const DISCONNECT_HINT: &str =
    "Once an account is disconnected you cannot sign in here with it any more. Nothing changes over there.";
/// A passkey without a name.
pub(super) const SOME_PASSKEY: &str = "Passkey without a name";
/// Beside what cannot be taken away.
pub(super) const ONLY_WAY: &str = "Your only way to sign in, so it must stay.";
/// Button that copies backup codes.
pub(super) const COPY: &str = "Copy";
/// The same, when it is done.
pub(super) const COPIED: &str = "Copied";
/// Button that prints backup codes.
pub(super) const PRINT: &str = "Print";

/// Below the heading of a trial that has yet to be made.
pub(super) const TRIAL_LEAD: &str =
    "You make the trip that people make who sign in. Nobody is signed in by it, and no account is made or changed.";
/// The outcome of a trial in which everything worked.
pub(super) const TRIAL_WORKED: &str = "Everything worked: somebody with these claims can sign up.";
/// Where a trial has yet to be made.
pub(super) const TRIAL_OPEN: &str = "This trial has not been made yet.";
/// Link to the page on which a trial begins.
pub(super) const TRIAL_BEGIN: &str = "Make the trip";
/// Button that deletes a trial.
pub(super) const TRIAL_DELETE: &str = "Delete this trial";
/// Beside it.
pub(super) const TRIAL_KEPT: &str =
    "What the provider told stands here until the trial is deleted or expires, for this browser alone.";
/// Before the provider's id.
pub(super) const TRIAL_PROVIDER: &str = "Provider";
/// Before where the mapper is.
pub(super) const TRIAL_MAPPER: &str = "Mapper";
/// Before the step that failed.
pub(super) const TRIAL_STEP: &str = "Step";
/// Before the reason why it failed.
pub(super) const TRIAL_REASON: &str = "Reason";
/// Heading of the steps.
pub(super) const TRIAL_STEPS: &str = "Step by step";
/// Heading of a mapper that stands in the configuration.
pub(super) const TRIAL_SOURCE: &str = "The mapper";
/// Heading of what the provider told.
pub(super) const TRIAL_CLAIMS: &str = "What the provider told";
/// Heading of what the mapper was given.
pub(super) const TRIAL_INPUT: &str = "What the mapper was given";
/// Heading of what the mapper made of it.
pub(super) const TRIAL_OUTPUT: &str = "What the mapper made of it";
/// Heading of what the identity schema refuses.
pub(super) const TRIAL_REFUSED: &str = "What the identity schema refuses";
/// Of a step that worked.
pub(super) const STEP_DONE: &str = "Done";
/// Of the step that failed.
pub(super) const STEP_FAILED: &str = "Failed";
/// Of a step that was not come to.
pub(super) const STEP_OPEN: &str = "Not reached";

/// The steps of a trial, in their order, by the names that the API gives them.
pub(super) const STEPS: [(&str, &str); 7] = [
    ("state_validate", "The way back belongs to this trial"),
    ("provider_denied", "The provider agreed"),
    ("token_exchange", "The code was exchanged for tokens"),
    ("id_token_verify", "The ID token was verified"),
    ("claims_decode", "The claims were read"),
    ("jsonnet_run", "The mapper ran"),
    ("schema_validate", "The traits fit the identity schema"),
];

/// The heading of a trial. `provider`: the name that people know it by.
#[must_use]
pub(super) fn trial(provider: &str) -> String {
    format!("Trial of {provider}")
}

/// There is no such trial.
pub(super) const NO_TRIAL: Problem = Problem {
    heading: "There is no such trial",
    text: "It was deleted, has expired, or never was. Begin another one where you began this one.",
};

/// A trial was made in another browser.
pub(super) const OTHERS_TRIAL: Problem = Problem {
    heading: "This trial was made in another browser",
    text: "What the provider told is shown to the browser that made the trip, and to no other.",
};

/// A trial was deleted.
pub(super) const TRIAL_DELETED: Problem =
    Problem { heading: "The trial is deleted", text: "Nothing of what the provider told is kept." };

/// Heading of the signed-in devices.
pub(super) const SESSIONS: &str = "Where you are signed in";
/// The same, in the table of contents.
pub(super) const SESSIONS_SHORT: &str = "Sessions";
/// Below it.
pub(super) const SESSIONS_INTRO: &str = "Sign out of whatever you do not recognize, then change your password.";
/// Below it, where there is no other session.
pub(super) const SESSIONS_ALONE: &str = "You are signed in nowhere else.";
/// After one session was ended.
pub(super) const SESSION_ENDED: &str = "That device is signed out.";
/// After all sessions but this one were ended.
pub(super) const OTHERS_ENDED: &str = "You are signed out everywhere else.";
/// Before the time of the last use.
pub(super) const LAST_SEEN: &str = "Last seen";
/// The same, of this device.
pub(super) const SEEN_NOW: &str = "In use now";
/// Beside the session of this browser.
pub(super) const THIS_DEVICE: &str = "This device";
/// Before the time of a sign-in.
pub(super) const SIGNED_IN_AT: &str = "Signed in";
/// Button and link that end a session.
pub(super) const SIGN_OUT: &str = "Sign out";
/// Button that ends all sessions but this one.
pub(super) const SIGN_OUT_OTHERS: &str = "Sign out everywhere else";
/// A device that says nothing about itself.
pub(super) const UNKNOWN_DEVICE: &str = "Unknown device";

/// Names the development mailbox at the top of its pages.
pub(super) const MAILBOX_SITE: &str = "Development mailbox";
/// Its heading.
pub(super) const MAILBOX: &str = "Messages";
/// Below it.
pub(super) const MAILBOX_LEAD: &str =
    "Everything that the server wrote to people, newest first, whether or not it could be sent.";
/// Where there are none.
pub(super) const MAILBOX_EMPTY: &str =
    "No messages yet. They appear here when somebody signs up, proves an address or asks for a code. No mail server is needed.";
/// Link that looks again.
pub(super) const REFRESH: &str = "Refresh";
/// Link back to the list.
pub(super) const ALL_MESSAGES: &str = "All messages";
/// Of a message without subject.
pub(super) const NO_SUBJECT: &str = "(no subject)";
/// Before a message's recipient.
pub(super) const MAIL_TO: &str = "To";
/// Before its time.
pub(super) const MAIL_WRITTEN: &str = "Written";
/// Before how far it has come.
pub(super) const MAIL_STATUS: &str = "Status";
/// Before the type of its template.
pub(super) const MAIL_TEMPLATE: &str = "Template";
/// Before why it was not sent.
pub(super) const MAIL_ERROR: &str = "Last error";
/// Heading of its text.
pub(super) const MAIL_TEXT: &str = "Text";
/// Heading of its HTML.
pub(super) const MAIL_HTML: &str = "HTML";
/// Where its words cannot be made.
pub(super) const MAIL_UNREADABLE: &str =
    "The words of this message cannot be shown: it was written with other secrets, or by another release.";
/// Where there is no such message.
pub(super) const MAIL_GONE: &str = "There is no such message, or not any more.";

/// How far a message has come.
#[must_use]
pub(super) fn mail_status(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Queued => "Waiting",
        MessageStatus::Processing => "On its way",
        MessageStatus::Sent => "Sent",
        MessageStatus::Abandoned => "Given up",
    }
}

/// The start page's heading for somebody who is signed in.
pub(super) const WELCOME_BACK: &str = "Welcome back";
/// The start page's heading for everybody else.
pub(super) const WELCOME: &str = "Welcome";
/// The start page's first sentence for everybody else.
pub(super) const WELCOME_LEAD: &str = "Sign in to your account, or make a new one.";
/// The same, where nobody can sign up.
pub(super) const WELCOME_LEAD_CLOSED: &str = "Sign in to your account.";
/// Before the name of who is signed in.
pub(super) const SIGNED_IN_AS: &str = "You are signed in as";
/// Link to the settings.
pub(super) const SETTINGS: &str = "Settings";
/// Link to the sign-in.
pub(super) const SIGN_IN: &str = "Sign in";
/// Link to the sign-up.
pub(super) const SIGN_UP: &str = "Sign up";
/// Before the link to the sign-up.
pub(super) const NO_ACCOUNT: &str = "No account yet?";
/// Before the link to the sign-in.
pub(super) const HAVE_ACCOUNT: &str = "Already have an account?";
/// Link to the recovery.
pub(super) const FORGOT: &str = "Forgot your password?";
/// Before the link to the sign-in, where somebody wants to recover an account.
pub(super) const REMEMBERED: &str = "Remember your password?";
/// Where a provider told too little about somebody who signs up by it.
pub(super) const COMPLETE: &str = "Almost done. Please complete your details, and your account is made.";
/// Where providers are the only way to sign up.
pub(super) const PROVIDER_FILLS: &str = "What you leave empty here is taken from the account that you choose.";
/// Before the link to all ways of signing up, where one was chosen.
pub(super) const OTHER_WAY: &str = "Rather another way?";
/// Where somebody is to sign up for an organization, and nothing here is made for it.
pub(super) const NOT_FOR_ORGANIZATION: &str = "There is no way to sign up for this organization here.";
/// Link to all ways of signing up, from there.
pub(super) const SIGN_UP_ALONE: &str = "Sign up without it";
/// Before the link that ends the session, where somebody is asked for more proof.
pub(super) const NOT_YOU: &str = "Not you?";
/// Link to where the flow was to lead.
pub(super) const PROCEED: &str = "Continue";
/// Link to the start page.
pub(super) const TO_START: &str = "Go to the start page";
/// Link that begins the same thing anew.
pub(super) const START_AGAIN: &str = "Start again";
/// What is folded away on the page of an error.
pub(super) const DETAILS: &str = "Details for support";
/// Names the developer's words about an error.
pub(super) const DETAIL_REASON: &str = "What happened";
/// Names the error's id and status.
pub(super) const DETAIL_CODE: &str = "Code";
/// Names the number of the error's record.
pub(super) const DETAIL_ID: &str = "Reference";
/// Names the time of the error.
pub(super) const DETAIL_TIME: &str = "Time";

/// The heading of a flow's page. `is_refresh`: somebody who is signed in proves it again; `is_second`: a second factor.
#[must_use]
pub(super) fn heading(kind: FlowKind, is_refresh: bool, is_second: bool) -> &'static str {
    match kind {
        FlowKind::Login if is_second => "One more step",
        FlowKind::Login if is_refresh => "Confirm that it is you",
        FlowKind::Login => "Sign in",
        FlowKind::Registration => "Sign up",
        FlowKind::Settings => "Settings",
        FlowKind::Recovery => "Get back into your account",
        FlowKind::Verification => "Verify your address",
    }
}

/// The first sentence of a flow's page, where the form does not speak for itself.
#[must_use]
pub(super) fn lead(kind: FlowKind, state: FlowState) -> Option<&'static str> {
    match (kind, state) {
        (FlowKind::Verification, FlowState::ChooseMethod) => {
            Some("Tell us the address, and we send a code to it that proves that it is yours.")
        }
        (FlowKind::Recovery, FlowState::ChooseMethod) => Some("Tell us the address of your account, and we send a code to it."),
        _ => None,
    }
}

/// The words of the button where a password is the only way to do it.
#[must_use]
pub(super) fn only_way(kind: FlowKind) -> Option<&'static str> {
    match kind {
        FlowKind::Login => Some(SIGN_IN),
        FlowKind::Registration => Some(SIGN_UP),
        FlowKind::Recovery | FlowKind::Settings | FlowKind::Verification => None,
    }
}

/// The heading of an area of the settings.
#[must_use]
pub(super) fn area(id: &str) -> Option<&'static str> {
    match id {
        "factors" => Some("Second factors"),
        "connections" => Some("Connected accounts"),
        "profile" => section(Group::Profile),
        "password" => section(Group::Password),
        "code" => section(Group::Code),
        "link" => section(Group::Link),
        "passkey" => section(Group::Passkey),
        "webauthn" => section(Group::Webauthn),
        _ => None,
    }
}

/// Below the heading of an area. `group`: the first that stands there.
#[must_use]
pub(super) fn area_intro(id: &str, group: Group) -> Option<&'static str> {
    match id {
        "factors" => Some("With a second factor your password alone is not enough to sign in."),
        "connections" => Some("Accounts elsewhere that you can sign in with."),
        "password" => Some("Choose a long one that you use nowhere else."),
        _ => section_intro(group),
    }
}

/// Below the heading of a part of the settings.
#[must_use]
pub(super) fn section_intro(group: Group) -> Option<&'static str> {
    match group {
        Group::Totp => Some("An app on your phone shows a new code every half minute."),
        Group::LookupSecret => Some("Codes for when nothing else is at hand. Each works once."),
        Group::Webauthn => Some("A small device that you plug in or hold to your phone."),
        Group::Passkey => Some("Sign in with your fingerprint, your face or the lock of your screen."),
        _ => None,
    }
}

/// Below the list of sessions, if not all are shown.
#[must_use]
pub(super) fn more_sessions(number: u64) -> String {
    format!("And {number} more.")
}

/// The heading of a part of the settings; `None` for what stands without one.
#[must_use]
pub(super) fn section(group: Group) -> Option<&'static str> {
    Some(match group {
        Group::Default | Group::IdentifierFirst | Group::Captcha | Group::Oauth2Consent => return None,
        Group::Profile => "Profile",
        Group::Password => "Password",
        Group::Code => "Sign-in codes",
        Group::Link => "Sign-in links",
        Group::Oidc => "Linked accounts",
        Group::Saml => "Linked organizations",
        Group::Totp => "Authenticator app",
        Group::LookupSecret => "Backup codes",
        Group::Webauthn => "Security keys",
        Group::Passkey => "Passkeys",
    })
}

/// A message as a sentence: it begins with a capital and ends with a full stop.
#[must_use]
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end().chars();
    let mut out: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    out.push_str(letters.as_str());
    if out.ends_with(|c: char| c.is_alphanumeric() || ")\"'”’".contains(c)) {
        out.push('.');
    }
    out
}

/// Below the label of a new password. `least`: how long it must be.
#[must_use]
pub(super) fn password_hint(least: usize) -> String {
    format!("At least {least} characters.")
}

/// The button that ends one session, read aloud. `device`: where that session is.
#[must_use]
pub(super) fn end_session(device: &str) -> String {
    format!("Sign out: {device}")
}

/// A device by its browser and system.
#[must_use]
pub(super) fn device(browser: &str, system: &str) -> String {
    format!("{browser} on {system}")
}

/// One of several fields of the same name, read aloud. `number` counts from 1.
#[must_use]
pub(super) fn numbered(label: &str, number: usize) -> String {
    format!("{label} {number}")
}

/// The button that goes on with a provider.
#[must_use]
pub(super) fn proceed_with(provider: &str) -> String {
    format!("Continue with {provider}")
}

/// A message about a field that is not shown.
#[must_use]
pub(super) fn about(label: &str, text: &str) -> String {
    format!("{label}: {text}")
}

/// A month by its number from 1; empty for what is no month.
#[must_use]
pub(super) fn month(number: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    number.checked_sub(1).and_then(|n| NAMES.get(usize::from(n))).copied().unwrap_or_default()
}

/// What a page says about an error: a heading and a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The heading.
    pub heading: &'static str,
    /// What happened and what to do.
    pub text: &'static str,
}

/// The browser keeps no cookies.
pub(super) const NO_COOKIES: Problem = Problem {
    heading: "Cookies are needed here",
    text: "Your browser did not keep the cookie that protects this form. Allow cookies for this site, then start again.",
};

/// A form that was made a moment ago cannot be shown.
pub(super) const NO_FORM: Problem = Problem {
    heading: "This form cannot be shown",
    text: "Something is in the way of opening this form in your browser. Wait a moment, then start again.",
};

/// A form for a code, in another browser than the one that asked for the code.
pub(super) const OTHER_BROWSER: Problem = Problem {
    heading: "Go back to where you asked for this",
    text: "This form belongs to another browser, or to the time before you last signed in or out. Open the link in the browser where you asked for the code, or type the code there. You can also start again here.",
};

/// An error that is not known, or not kept any more.
pub(super) const UNKNOWN_ERROR: Problem = Problem {
    heading: "There is nothing here",
    text: "What this page was to tell is not kept any more. Please go back to where you were, and try again.",
};

/// What a page says about an error, by its id or else by its status.
#[must_use]
pub(super) fn problem(id: &str, status: u64) -> Problem {
    let is = |known: ErrorId| id == known.as_str();
    let (heading, text) = if is(ErrorId::SecurityCsrfViolation) {
        (
            "This form could not be accepted",
            "It was opened in another window or a while ago, or your browser does not keep our cookies. Nothing was changed. Please start again.",
        )
    } else if is(ErrorId::SecurityIdentityMismatch) {
        (
            "This belongs to another account",
            "You are signed in with another account now. Nothing was changed. Please start again.",
        )
    } else if is(ErrorId::SessionInactive) || status == 401 {
        ("Please sign in", "You need to be signed in to see this.")
    } else if is(ErrorId::SessionAlreadyAvailable) {
        ("You are signed in already", "To use another account, sign out first.")
    } else if is(ErrorId::IdentityDisabled) {
        ("This account is disabled", "Please ask those who run this service.")
    } else if is(ErrorId::SelfServiceFlowDisabled) {
        ("This is switched off", "Those who run this service do not offer it.")
    } else if is(ErrorId::SelfServiceFlowReturnToForbidden) {
        ("This link cannot be followed", "It leads to an address that is not allowed here. Nothing was changed.")
    } else if is(ErrorId::SelfServiceFlowExpired) || status == 410 {
        ("This took too long", "The form was open for too long. Please start again.")
    } else {
        match status {
            404 => ("There is nothing here", "The page that you asked for does not exist, or not any more."),
            429 | 503 => ("We are busy", "The service cannot answer at the moment. Please try again in a minute."),
            400..=499 => {
                ("That did not work", "Your request could not be understood. Please go back to the start and try again.")
            }
            _ => ("Something went wrong", "The fault is ours, and it was logged. Please try again in a moment."),
        }
    };
    Problem { heading, text }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn messages_are_sentences() {
        for (text, expected) in [
            ("the provider did not sign you in (access_denied)", "The provider did not sign you in (access_denied)."),
            ("Saved.", "Saved."),
            ("is that so?", "Is that so?"),
            ("ändern", "Ändern."),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}

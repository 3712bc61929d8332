//! Every sentence of the built-in pages that does not come from a flow, in one place for whoever translates them.
//!
//! Texts say what happened and what to do next, and never name parts of the program.

use portcullis_model::error::ErrorId;
use portcullis_model::flow::FlowKind;
use portcullis_model::ui::Group;

/// The language of these texts (BCP 47).
pub(super) const LANGUAGE: &str = "en";
/// The first link of a page, for those who use a keyboard.
pub(super) const SKIP: &str = "Skip to the content";
/// Marks a page's title when something on it must be mended.
pub(super) const ERROR_PREFIX: &str = "Error: ";
/// Between ways of doing the same thing.
pub(super) const OR: &str = "or";
/// Names the links below a form.
pub(super) const FURTHER: &str = "Other things to do";
/// Button that shows a password.
pub(super) const SHOW: &str = "Show";
/// Button that hides it again.
pub(super) const HIDE: &str = "Hide";
/// Marks a field that may be left empty.
pub(super) const OPTIONAL: &str = "(optional)";
/// Beside buttons that only work with a script.
pub(super) const NEEDS_SCRIPT: &str = "This needs JavaScript, which is switched off in your browser.";
/// Of a field for date and time.
pub(super) const DATE_TIME_HINT: &str = "Date, time and offset from UTC, such as 2026-01-31T14:30:00Z.";
/// The choice of no value.
pub(super) const NO_CHOICE: &str = "Choose …";

/// Heading of the signed-in devices.
pub(super) const SESSIONS: &str = "Where you are signed in";
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

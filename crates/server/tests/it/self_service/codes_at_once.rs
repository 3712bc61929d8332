//! What codes promise when many bring one at the same moment, on both databases: of any number of guesses no more are judged
//! than is configured, and of any number of right codes one counts.

use serde_json::{Value, json};

use super::login_code::{codes_config, made, stepping_up};
use super::recovery::with_recovery;
use crate::support::{Admin, Answer, Form, Person, Spa, TestApp, UI, everywhere, together};

/// What a code is for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Recovery,
    Verification,
    SignIn,
    SignUp,
    SecondFactor,
}

const ALL: [Use; 5] = [Use::Recovery, Use::Verification, Use::SignIn, Use::SignUp, Use::SecondFactor];

/// A flow that waits for a code.
struct Waiting<'a> {
    spa: Spa<'a>,
    form: Form,
    /// The right one.
    code: String,
    /// What goes into the form beside it.
    fields: Value,
}

impl Waiting<'_> {
    /// Brings so many codes at once, each from a browser of its own with the same cookies.
    fn bring(&self, count: usize, code: impl Fn(usize) -> String + Sync) -> Vec<Answer> {
        together(count, |number| {
            let (mut spa, form, mut fields) = (self.spa.clone(), &self.form, self.fields.clone());
            fields["code"] = json!(code(number));
            async move { spa.submit(form, fields).await }
        })
    }

    /// Another six digits.
    fn wrong(&self, number: usize) -> String {
        let right: usize = self.code.parse().unwrap();
        format!("{:06}", (right + 1 + number) % 1_000_000)
    }
}

impl Use {
    /// The configuration under which a flow takes so many tries.
    fn config(self, tries: u32) -> Value {
        let code = match self {
            Self::SecondFactor => json!({ "mfa_enabled": true }),
            _ => json!({ "passwordless_enabled": true }),
        };
        let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
        let mut config = with_recovery(codes_config(code, json!({})));
        config["feature_flags"] = json!({ "use_continue_with_transitions": true });
        config["selfservice"]["methods"]["code"]["config"] = json!({ "max_submissions": tries });
        config["selfservice"]["flows"]["verification"] = verification;
        config
    }

    async fn begin(self, app: &TestApp) -> Waiting<'_> {
        let ada = match self {
            Self::SignUp => Person::named("new"),
            _ => made(app, "ada", json!({})).await,
        };
        let mut spa = Spa::new(app);
        let (form, mut fields) = match self {
            Self::SecondFactor => (Form::of(&stepping_up(app, &mut spa, &ada).await), json!({})),
            Self::SignIn => (spa.open("login").await, json!({ "identifier": ada.email })),
            Self::SignUp => (spa.open("registration").await, json!({ "traits": { "email": ada.email } })),
            Self::Recovery => (spa.open("recovery").await, json!({ "email": ada.email })),
            Self::Verification => (spa.open("verification").await, json!({ "email": ada.email })),
        };
        fields["method"] = json!("code");
        if !matches!(self, Self::SecondFactor) {
            let sent = spa.submit(&form, fields.clone()).await;
            assert_eq!(sent.state(), "sent_email", "{self:?}");
        }
        fields.as_object_mut().unwrap().remove("email");
        let code = app.newest_mail(&ada.email).await.code();
        Waiting { spa, form, code, fields }
    }

    /// The message by which a wrong code is told.
    fn wrong(self) -> u64 {
        match self {
            Self::Recovery => 4_060_006,
            Self::Verification => 4_070_006,
            Self::SignIn | Self::SecondFactor => 4_010_008,
            Self::SignUp => 4_040_003,
        }
    }

    /// How many sessions, accounts and verified addresses there are when one code counted.
    fn traces(self) -> (usize, usize, usize) {
        match self {
            Self::Verification => (0, 1, 1),
            _ => (1, 1, 1),
        }
    }
}

fn told(answer: &Answer, id: u64) -> bool {
    String::from_utf8_lossy(&answer.body).contains(&id.to_string())
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|a| a.status).collect()
}

/// The sessions, accounts and verified addresses.
async fn traces(app: &TestApp) -> (usize, usize, usize) {
    let count = |list: Answer| list.json().as_array().unwrap().len();
    let people = Admin::new(app).get("/admin/identities").await.json();
    let verified = people.to_string().matches("\"verified\":true").count();
    (count(Admin::new(app).get("/admin/sessions").await), people.as_array().unwrap().len(), verified)
}

async fn of_64_guesses_no_more_are_judged_than_allowed(what: Use) {
    everywhere(what.config(5), async |app| {
        let waiting = what.begin(app).await;
        let answers = waiting.bring(64, |number| waiting.wrong(number));
        assert!(answers.iter().all(|a| a.status < 500), "{what:?}: {:?}", statuses(&answers));
        let judged = answers.iter().filter(|a| told(a, what.wrong())).count();
        assert_eq!(judged, 5, "{what:?}: {:?}", statuses(&answers));
        let before = traces(app).await;
        let late = waiting.bring(1, |_| waiting.code.clone());
        assert!(late[0].status != 200 && !told(&late[0], what.wrong()), "{what:?}: the tries are spent: {late:?}");
        assert_eq!(traces(app).await, before, "{what:?}");
    })
    .await;
}

async fn of_64_right_codes_one_counts(what: Use) {
    everywhere(what.config(255), async |app| {
        let waiting = what.begin(app).await;
        let answers = waiting.bring(64, |_| waiting.code.clone());
        assert!(answers.iter().all(|a| a.status < 500), "{what:?}: {:?}", statuses(&answers));
        let good = answers.iter().filter(|a| a.status == 200).count();
        assert_eq!(good, 1, "{what:?}: {:?}", statuses(&answers));
        assert_eq!(traces(app).await, what.traces(), "{what:?}");
    })
    .await;
}

/// Half of them guess while half of them bring the right code: one of these counts at most, and never after five tries.
async fn of_guesses_and_right_codes_together_at_most_one_counts(what: Use) {
    everywhere(what.config(5), async |app| {
        let waiting = what.begin(app).await;
        let code = |number: usize| if number.is_multiple_of(2) { waiting.wrong(number) } else { waiting.code.clone() };
        let answers = waiting.bring(64, code);
        assert!(answers.iter().all(|a| a.status < 500), "{what:?}: {:?}", statuses(&answers));
        let good = answers.iter().enumerate().filter(|(n, a)| !n.is_multiple_of(2) && a.status == 200 && !told(a, what.wrong()));
        assert!(good.count() <= 1, "{what:?}: {:?}", statuses(&answers));
        let judged = answers.iter().filter(|a| told(a, what.wrong())).count();
        assert!(judged <= 5, "{what:?}: {judged}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_in_recovery_and_verification() {
    for what in [Use::Recovery, Use::Verification] {
        of_64_guesses_no_more_are_judged_than_allowed(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_sign_in_sign_up_and_the_second_factor() {
    for what in [Use::SignIn, Use::SignUp, Use::SecondFactor] {
        of_64_guesses_no_more_are_judged_than_allowed(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn right_codes_in_recovery_and_verification() {
    for what in [Use::Recovery, Use::Verification] {
        of_64_right_codes_one_counts(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn right_codes_at_sign_in_sign_up_and_the_second_factor() {
    for what in [Use::SignIn, Use::SignUp, Use::SecondFactor] {
        of_64_right_codes_one_counts(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_beside_right_codes() {
    for what in ALL {
        of_guesses_and_right_codes_together_at_most_one_counts(what).await;
    }
}

//! Forms and the people who fill them in: what the clients do with flows.

use serde_json::{Map, Value, json};

use super::{Answer, Browser, Native, Spa};

/// Somebody with an address and a password.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Person {
    /// Somebody whose address begins with a name.
    pub(crate) fn named(name: &str) -> Self {
        Self { email: format!("{name}@example.org"), password: "kestrel-Zw4-91-mortar".to_owned() }
    }

    /// The same person with another password.
    pub(crate) fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self.clone() }
    }

    fn sign_up(&self) -> Value {
        json!({ "method": "password", "password": self.password, "traits": { "email": self.email } })
    }

    fn sign_in(&self) -> Value {
        json!({ "method": "password", "password": self.password, "identifier": self.email })
    }
}

/// A flow's form as a client has it before it.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) csrf: String,
}

impl Form {
    /// The form in an answer.
    pub(crate) fn of(answer: &Answer) -> Self {
        let id = answer.json()["id"].as_str().unwrap_or_else(|| panic!("no form: {answer:?}")).to_owned();
        // Some forms of apps, and those that administrators make, have no token.
        let csrf = answer.field("csrf_token").and_then(|token| token.as_str().map(str::to_owned)).unwrap_or_default();
        Self { id, action: answer.action(), csrf }
    }

    /// Fields with this form's token.
    fn filled(&self, fields: &Value) -> Value {
        let mut out = Map::new();
        out.insert("csrf_token".to_owned(), json!(self.csrf));
        out.extend(fields.as_object().unwrap().clone());
        Value::Object(out)
    }
}

impl Spa<'_> {
    /// Begins a flow of a kind.
    pub(crate) async fn open(&mut self, kind: &str) -> Form {
        Form::of(&self.get(&format!("/self-service/{kind}/browser")).await)
    }

    /// Fetches a flow.
    pub(crate) async fn flow(&mut self, kind: &str, id: &str) -> Answer {
        self.get(&format!("/self-service/{kind}/flows?id={id}")).await
    }

    /// Sends a form.
    pub(crate) async fn submit(&mut self, form: &Form, fields: Value) -> Answer {
        self.post(&form.action, &form.filled(&fields)).await
    }

    pub(crate) async fn sign_up(&mut self, who: &Person) -> Answer {
        let form = self.open("registration").await;
        done(self.submit(&form, who.sign_up()).await)
    }

    pub(crate) async fn sign_in(&mut self, who: &Person) -> Answer {
        let form = self.open("login").await;
        done(self.submit(&form, who.sign_in()).await)
    }

    /// Signs in once more, on top of the session.
    pub(crate) async fn refresh(&mut self, who: &Person) -> Answer {
        let form = Form::of(&self.get("/self-service/login/browser?refresh=true").await);
        done(self.submit(&form, who.sign_in()).await)
    }

    pub(crate) async fn sign_out(&mut self) -> Answer {
        let token = self.get("/self-service/logout/browser").await.json()["logout_token"].as_str().unwrap().to_owned();
        let answer = self.get(&format!("/self-service/logout?token={token}")).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        answer
    }

    /// Sends an empty body to a form: what waits is to be finished.
    pub(crate) async fn finish(&mut self, form: &Form) -> Answer {
        self.post_raw(&form.action, "application/json", "").await
    }

    /// The traits of whoever is signed in.
    pub(crate) async fn traits(&mut self) -> Value {
        self.get("/sessions/whoami").await.json()["identity"]["traits"].clone()
    }
}

impl Browser<'_> {
    /// Begins a flow of a kind, as a page and then by its script.
    pub(crate) async fn open(&mut self, kind: &str) -> Form {
        let page = self.get(&format!("/self-service/{kind}/browser")).await;
        self.arrive(kind, &page).await
    }

    /// Reads the form to whose page an answer leads.
    pub(crate) async fn arrive(&mut self, kind: &str, answer: &Answer) -> Form {
        let id = answer.parameter("flow").unwrap_or_else(|| panic!("no flow: {answer:?}"));
        Form::of(&self.flow(kind, &id).await)
    }

    /// Fetches a flow.
    pub(crate) async fn flow(&mut self, kind: &str, id: &str) -> Answer {
        self.fetch(&format!("/self-service/{kind}/flows?id={id}")).await
    }

    /// Sends a form.
    pub(crate) async fn submit(&mut self, form: &Form, fields: &[(&str, &str)]) -> Answer {
        let all = [&[("csrf_token", form.csrf.as_str())], fields].concat();
        self.post(&form.action, &all).await
    }

    pub(crate) async fn sign_up(&mut self, who: &Person) -> Answer {
        let form = self.open("registration").await;
        let fields = [("method", "password"), ("password", who.password.as_str()), ("traits.email", who.email.as_str())];
        let answer = self.submit(&form, &fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer
    }

    pub(crate) async fn sign_in(&mut self, who: &Person) -> Answer {
        let form = self.open("login").await;
        self.answer_login(&form, who).await
    }

    /// Goes where an answer leads, which is a login, and signs in there.
    pub(crate) async fn sign_in_at(&mut self, answer: &Answer, who: &Person) -> Answer {
        let page = self.get(answer.location()).await;
        let form = self.arrive("login", &page).await;
        self.answer_login(&form, who).await
    }

    async fn answer_login(&mut self, form: &Form, who: &Person) -> Answer {
        let fields = [("method", "password"), ("identifier", who.email.as_str()), ("password", who.password.as_str())];
        let answer = self.submit(form, &fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer
    }
}

impl Native<'_> {
    /// Begins a flow of a kind.
    pub(crate) async fn open(&self, kind: &str) -> Form {
        Form::of(&self.get(&format!("/self-service/{kind}/api")).await)
    }

    /// Fetches a flow.
    pub(crate) async fn flow(&self, kind: &str, id: &str) -> Answer {
        self.get(&format!("/self-service/{kind}/flows?id={id}")).await
    }

    /// Sends a form.
    pub(crate) async fn submit(&self, form: &Form, fields: Value) -> Answer {
        self.post(&form.action, &fields).await
    }

    pub(crate) async fn sign_up(&mut self, who: &Person) -> Answer {
        let form = self.open("registration").await;
        let answer = done(self.submit(&form, who.sign_up()).await);
        self.token = Some(answer.json()["session_token"].as_str().unwrap().to_owned());
        answer
    }

    pub(crate) async fn sign_in(&mut self, who: &Person) -> Answer {
        let form = self.open("login").await;
        let answer = done(self.submit(&form, who.sign_in()).await);
        self.token = Some(answer.json()["session_token"].as_str().unwrap().to_owned());
        answer
    }

    /// Signs in once more, on top of the session.
    pub(crate) async fn refresh(&self, who: &Person) -> Answer {
        let form = Form::of(&self.get("/self-service/login/api?refresh=true").await);
        done(self.submit(&form, who.sign_in()).await)
    }

    /// The answer to a sign-in with a password, right or wrong.
    pub(crate) async fn try_sign_in(&self, who: &Person) -> Answer {
        let form = self.open("login").await;
        self.submit(&form, who.sign_in()).await
    }

    /// Sends an empty body to a form: what waits is to be finished.
    pub(crate) async fn finish(&self, form: &Form) -> Answer {
        self.post_raw(&form.action, "application/json", "").await
    }
}

/// An answer that must be a success.
fn done(answer: Answer) -> Answer {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

//! What signs in once does so once, however many try at the same moment, on every database; and of wrong codes at the same
//! moment no more are judged than are allowed.

use serde_json::{Value, json};

use crate::support::{
    Answer, Authenticator, Form, Native, Person, Spa, TestApp, backup_codes, everywhere, second_factors, together,
};

const CLIENTS: usize = 64;

fn ada() -> Person {
    Person::named("ada")
}

/// Ada's app and backup codes, and so many clients of hers before the second step.
async fn before_the_second_step(app: &TestApp) -> (Authenticator, Vec<String>, Vec<(Native<'_>, Form)>) {
    let mut spa = Spa::new(app);
    spa.sign_up(&ada()).await;
    let device = Authenticator::link(app, &mut spa).await;
    let codes = backup_codes(&mut spa).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut native = Native::new(app);
        native.sign_in(&ada()).await;
        let form = Form::of(&native.get("/self-service/login/api?aal=aal2").await);
        clients.push((native, form));
    }
    (device, codes, clients)
}

fn all_at_once(clients: &[(Native<'_>, Form)], fields: &Value) -> Vec<Answer> {
    together(clients.len(), |number| {
        let (native, form) = &clients[number];
        let fields = fields.clone();
        async move { native.submit(form, fields).await }
    })
}

/// How many got in. The others were told on the form, and nothing else.
fn let_in(answers: &[Answer]) -> usize {
    let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_of_an_app_and_a_backup_code_each_let_one_of_64_in() {
    everywhere(second_factors(), async |app| {
        let (device, codes, clients) = before_the_second_step(app).await;
        let of_app = all_at_once(&clients, &json!({ "method": "totp", "totp_code": device.code(app, 0) }));
        assert_eq!(let_in(&of_app), 1);
        let rest: Vec<_> = clients.into_iter().zip(&of_app).filter(|(_, a)| a.status != 200).map(|(client, _)| client).collect();
        app.wait(600);
        let backup = all_at_once(&rest, &json!({ "method": "lookup_secret", "lookup_secret": codes[0] }));
        assert_eq!(let_in(&backup), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_wrong_codes_no_more_are_judged_than_are_allowed() {
    everywhere(second_factors(), async |app| {
        let (device, _, clients) = before_the_second_step(app).await;
        for (fields, wrong) in [
            (json!({ "method": "totp", "totp_code": device.wrong(app) }), 4_000_008),
            (json!({ "method": "lookup_secret", "lookup_secret": "00000000" }), 4_000_016),
        ] {
            let answers = all_at_once(&clients, &fields);
            assert_eq!(let_in(&answers), 0);
            let judged = answers.iter().filter(|a| a.told() == [wrong]).count();
            assert!(judged <= 10, "{judged} were judged");
            assert!(answers.iter().all(|a| [vec![wrong], vec![4_000_001]].contains(&a.told())));
        }
    })
    .await;
}

use portcullis_store::errors::{self, StoredError};
use serde_json::json;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_error_can_be_read_again_and_again() {
    everywhere(|store| async move {
        let error =
            StoredError { id: id(), body: json!({"code": 403, "id": "x", "a": null}), created_at: at(1), updated_at: at(2) };
        commit(&store, |c| errors::insert(c, &error)).await.expect("inserted");
        for _ in 0..2 {
            assert_eq!(errors::get(&store, error.id).await, Ok(Some(error.clone())));
        }
        assert_eq!(errors::get(&store, id()).await, Ok(None));
    })
    .await;
}

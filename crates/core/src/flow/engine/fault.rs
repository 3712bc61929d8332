//! What can go wrong in a flow, and how it reaches the client.

use portcullis_model::error::ApiError;
use portcullis_model::flow::Notes;
use portcullis_model::message::{Message, validation};
use portcullis_store::{Changes, StoreError, errors};
use serde_json::Value;

use super::reply::Reply;
use crate::app::Cx;
use crate::crypto::password::{HashError, PoolError};

/// Why a submit did not go through.
#[derive(Debug)]
pub enum FlowError {
    /// The person is told on the form what to mend.
    Invalid(Box<Notes>),
    /// The client is told; the form stays as it is.
    Api(Box<ApiError>),
    /// The database refused: a guard failed, a unique value is taken, or it is not to be had.
    Store(StoreError),
}

impl FlowError {
    /// A message about the form as a whole.
    #[must_use]
    pub fn tell(message: Message) -> Self {
        let mut notes = Notes::default();
        notes.tell(message);
        Self::Invalid(Box::new(notes))
    }

    /// A message at a node.
    #[must_use]
    pub fn tell_at(node: &str, message: Message) -> Self {
        let mut notes = Notes::default();
        notes.tell_at(node, message);
        Self::Invalid(Box::new(notes))
    }

    /// An error for the client.
    #[must_use]
    pub fn api(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }

    /// A password was not hashed: the queue is full, or the password cannot be hashed.
    #[must_use]
    pub fn hashing(error: PoolError) -> Self {
        match error {
            PoolError::Busy { retry_after } => {
                tracing::warn!("too many passwords are waiting to be hashed");
                let seconds = u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX).max(1);
                Self::api(ApiError::new(503, "The server is busy. Try again in a moment.").retry_after(seconds))
            }
            PoolError::Hash(HashError::TooLong { max, actual }) => {
                Self::tell_at("password", validation::password_too_long(max as u64, actual as u64))
            }
            PoolError::Hash(error @ HashError::ContainsNul) => {
                Self::tell_at("password", validation::password_refused(&error.to_string()))
            }
            error @ (PoolError::Hash(HashError::Settings(_)) | PoolError::Stopped) => {
                tracing::error!(%error, "a password was not hashed");
                Self::api(ApiError::internal())
            }
        }
    }
}

/// An error outside any form.
#[must_use]
pub fn plain(error: FlowError) -> ApiError {
    match error {
        FlowError::Api(error) => *error,
        FlowError::Store(error) => store_error(&error),
        FlowError::Invalid(notes) => {
            let told: Vec<Value> = notes.all_messages().map(|m| serde_json::json!(m)).collect();
            ApiError::bad_request("The request was refused.").detail("messages", told)
        }
    }
}

/// What a client is told when the database fails. The cause goes to the log.
#[must_use]
pub fn store_error(error: &StoreError) -> ApiError {
    match error {
        StoreError::Busy => ApiError::new(503, "The database is busy. Try again in a moment.").retry_after(1),
        StoreError::Full => {
            tracing::error!("the database's disk is full; nothing can be saved until there is room");
            ApiError::new(503, "The server cannot save anything at the moment.").retry_after(60)
        }
        StoreError::Unsupported(_) => ApiError::bad_request("A value contains a character that cannot be stored."),
        StoreError::Conflict { .. } | StoreError::Unique(_) => {
            ApiError::conflict("Somebody else changed the same thing at the same time. Load it again and repeat your change.")
        }
        other => {
            tracing::error!(error = %other, "the database failed");
            ApiError::internal()
        }
    }
}

/// An error as the client understands it: JSON, or for pages a stored error and the way to the error page.
pub async fn answer_error(cx: &Cx, error: ApiError, json: bool) -> Reply {
    if json { Reply::error(error) } else { error_page(cx, &error).await }
}

/// Stores an error and sends the browser to the page that shows it.
pub async fn error_page(cx: &Cx, error: &ApiError) -> Reply {
    let id = cx.new_id();
    let mut changes = Changes::new();
    errors::insert(&mut changes, &errors::StoredError { id, body: error.object(), created_at: cx.now, updated_at: cx.now });
    if let Err(failure) = cx.store().commit(changes).await {
        return Reply::error(store_error(&failure));
    }
    Reply::see_other(super::show::with_parameter(&super::show::error_page_url(cx), "id", &id.to_string()))
}

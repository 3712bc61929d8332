//! `validate identity`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use portcullis_core::identity::import::{self, Unknown};
use portcullis_model::error::ApiError;
use portcullis_model::schema::IdentitySchema;
use serde_json::Value;

use super::super::Failure;
use super::super::endpoint::{Admin, CallError, segment};
use super::super::output::Listing;
use super::documents::Document;
use super::{Files, Outcome, documents};
use crate::admin::body::{self, Create};

/// Checks each document as the server would when it creates the identity, but for what only the server knows: whether
/// identifiers are taken.
pub(super) fn run(args: &Files) -> Result<(), Failure> {
    let admin = args.common.endpoint.open()?;
    let mut schemas = HashMap::new();
    let mut outcome = Outcome { done: Vec::new(), failed: Vec::new() };
    for Document { name, value } in documents::read(&args.files)? {
        match problems(&admin, &mut schemas, value) {
            Ok(problems) if problems.is_empty() => outcome.done.push(name),
            Ok(problems) => outcome.failed.push(format!("{name}: {}", problems.join("; "))),
            Err(error) => {
                outcome.failed.push(format!("{name}: {error}"));
                break;
            }
        }
    }
    outcome.print(&args.common.style, "identities would be refused", |good| Listing {
        value: good.iter().map(|name| Value::from(name.as_str())).collect(),
        ids: good.to_vec(),
        columns: &["valid"],
        rows: good.iter().map(|name| vec![name.clone()]).collect(),
    })
}

type Schemas = HashMap<String, Result<IdentitySchema, String>>;

/// Everything that is wrong with a document. Only a server that cannot be asked is an error.
fn problems(admin: &Admin, schemas: &mut Schemas, value: Value) -> Result<Vec<String>, CallError> {
    let create: Create = match serde_json::from_value(value) {
        Ok(create) => create,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let mut found = Vec::new();
    let told = |error: ApiError| error.reason;
    found.extend(body::state(create.state.as_deref()).map_err(told).err());
    found.extend(body::region(create.region.as_deref()).map_err(told).err());
    found.extend(import::read(create.credentials.as_ref(), Unknown::Refused).err().map(|e| format!("credentials: {e}")));
    let traits = match body::traits(create.traits) {
        Ok(traits) => Some(traits),
        Err(error) => {
            found.push(told(error));
            None
        }
    };
    match create.schema_id.filter(|id| !id.is_empty()) {
        None => found.push("schema_id is missing: name the identity schema".to_owned()),
        Some(id) => match (schema(admin, schemas, &id)?, traits) {
            (Ok(schema), Some(traits)) => found.extend(schema.describe_problems(&traits)),
            (Ok(_), None) => {}
            (Err(problem), _) => found.push(problem.clone()),
        },
    }
    Ok(found)
}

/// The schema as the server has it, asked for once.
fn schema<'s>(admin: &Admin, known: &'s mut Schemas, id: &str) -> Result<&'s Result<IdentitySchema, String>, CallError> {
    match known.entry(id.to_owned()) {
        Entry::Occupied(there) => Ok(there.into_mut()),
        Entry::Vacant(place) => {
            let read = match admin.get(&format!("/schemas/{}", segment(id))) {
                Ok(answer) => IdentitySchema::parse(id, &answer.value)
                    .map_err(|e| format!("the schema {id:?} of the server cannot be used: {e}")),
                Err(CallError::Refused(refusal)) => Err(format!("the server does not give the schema {id:?}: {refusal}")),
                Err(error) => return Err(error),
            };
            Ok(place.insert(read))
        }
    }
}

//! `import identities`.

use super::super::Failure;
use super::super::endpoint::CallError;
use super::{Files, Outcome, documents, table};

/// Creates each identity by itself, in order, so that it is known which one was refused and why.
pub(super) fn run(args: &Files) -> Result<(), Failure> {
    let admin = args.common.endpoint.open()?;
    let documents = documents::read(&args.files)?;
    let one_given = documents.len() == 1;
    let mut outcome = Outcome { done: Vec::new(), failed: Vec::new() };
    for document in documents {
        match admin.post("/admin/identities", &document.value) {
            Ok(answer) => outcome.done.push(answer.value),
            Err(error) => {
                outcome.failed.push(format!("{}: {error}", document.name));
                if matches!(error, CallError::Unreachable(..)) {
                    break;
                }
            }
        }
    }
    outcome.print(&args.common.style, "identities were not imported", |made| table(made, one_given))
}

//! What every database must do: one body for each module of the store, run on SQLite in memory and in a file, and on
//! PostgreSQL where `PORTCULLIS_TEST_POSTGRES` names a server (a URL of a database in which schemas may be made).

mod codes;
mod credentials;
mod errors;
mod flows;
mod guesses;
mod hook_calls;
mod identities;
mod jobs;
mod migrations;
mod outbox;
mod parked;
mod sessions;
mod store;
mod support;

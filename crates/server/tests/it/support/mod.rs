//! What tests share: an application of their own, and clients that talk to it.

mod answer;
mod app;
mod client;
mod databases;
mod faults;
mod form;
mod internet;
mod kratos;
mod log;
mod mail;
mod provider;
mod raw;
mod schema;
mod second_factor;
mod security_key;
mod target;
mod together;

pub(crate) use answer::Answer;
pub(crate) use app::{TestApp, UI};
pub(crate) use client::{Admin, Browser, Jar, Native, Spa};
pub(crate) use databases::{everywhere, rows_on_server, with_schema};
pub(crate) use faults::Faults;
pub(crate) use form::{Form, Person};
pub(crate) use internet::{Asked, Told, internet, sorted};
pub(crate) use kratos::{OldServer, Release};
pub(crate) use log::Log;
pub(crate) use mail::Mail;
pub(crate) use provider::{Provider, names, unsigned, with};
pub(crate) use raw::{RawDatabase, found};
pub(crate) use schema::schema;
pub(crate) use second_factor::{Authenticator, backup_codes, listed, second_factors};
pub(crate) use security_key::{ORIGIN, SecurityKey, asked, keys};
pub(crate) use target::{Manner, Target, jsonnet};
pub(crate) use together::together;

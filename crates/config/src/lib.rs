//! The configuration: one document that declares the line, its workers and its doors.
//!
//! [`load`] goes from text to [`Config`] or to all [`Findings`] at once. What a field may hold stands beside the code that
//! obeys it, as types and ranges, of which [`schema`] is made; here stand only the rules between fields. What may be changed
//! while the program works goes the same way: [`edit`].
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod check;
mod document;
mod edit;
mod environment;
mod explain;
mod finding;
mod load;
mod path;
mod profile;
mod root;
mod rules;
mod shape;
mod source;
mod suggest;

pub use edit::{Change, Edited, edit};
pub use environment::Environment;
pub use explain::{effective, explain};
pub use finding::{Finding, Findings, Place, Severity};
pub use load::{Loaded, load, parse, without_document};
pub use path::Path;
pub use profile::Profile;
pub use root::{Config, PipelineConfig, ShutdownConfig, Stages};
pub use shape::schema;

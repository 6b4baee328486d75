//! The integration tests, one binary: everything goes through the public API
//! or the command line.

mod assembler;
mod check;
mod cli;
mod companions;
mod corpus;
mod dvc;
#[cfg(feature = "sweep")]
mod elsewhere;
mod endless;
mod excerpts;
mod faults;
#[cfg(feature = "gate")]
mod gate;
#[cfg(feature = "gate")]
mod gate_service;
mod generated;
mod hostile;
mod hub;
mod inspect;
mod limits;
mod nasty;
mod policy;
mod properties;
mod reports;
mod rules;
mod sandbox;
mod schema;
#[cfg(feature = "sweep")]
mod sparse;
#[cfg(feature = "sweep")]
mod store;
mod strings;
#[cfg(feature = "sweep")]
mod sweep;
#[cfg(feature = "sweep")]
mod sweep_state;
mod terminal;
mod tidy;
mod triage;
mod walk;
mod walkthrough;
#[cfg(feature = "gate")]
mod webhooks;
mod yara;

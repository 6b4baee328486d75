//! The integration tests, one binary: everything goes through the public API
//! or the command line.

mod check;
mod cli;
mod corpus;
mod hostile;
mod limits;
mod nasty;
mod reports;
mod rules;
mod schema;
mod tidy;
mod walk;

//! The integration tests, one binary: everything goes through the public API
//! or the command line.

mod assembler;
mod check;
mod cli;
mod corpus;
mod hostile;
mod limits;
mod properties;
mod nasty;
mod reports;
mod rules;
mod schema;
mod tidy;
mod walk;

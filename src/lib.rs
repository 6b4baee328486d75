//! Tells whether a machine-learning model file is safe to load, before
//! anything loads it.
//!
//! Bytes become an [`Artifact`](artifact::Artifact); every
//! [`Format`](formats::Format) that recognises it reads it and pushes
//! [`Evidence`](evidence::Evidence) and child artifacts; the [`RuleSet`] turns
//! evidence into [`Finding`](report::Finding)s; the [`Report`] folds findings
//! and gaps into one [`Verdict`](report::Verdict) per file. Nothing that is
//! scanned is ever loaded, imported, unpickled, rendered or run.

pub mod artifact;
mod clock;
mod engine;
pub mod evidence;
pub mod formats;
#[cfg(feature = "gate")]
pub mod gate;
pub mod input;
pub mod inspect;
mod json;
mod limits;
mod names;
pub mod policy;
mod position;
#[cfg(feature = "remote")]
pub mod remote;
pub mod report;
pub mod rules;
mod scanner;
pub mod shelter;
pub mod source;
mod stop;
#[cfg(feature = "sweep")]
pub mod sweep;
mod text;

pub use engine::{Cx, Depth};
pub use limits::{Limits, UnknownLimit};
pub use policy::Policy;
pub use position::Position;
pub use report::Report;
pub use rules::RuleSet;
pub use scanner::{Progress, Scanner, Worker};
pub use stop::Stop;

/// The README's library example is tested like any other.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

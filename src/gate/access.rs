//! What decides who is let in, and how connections are encrypted: read at the
//! start, and again when the operator says so.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use crate::gate::{Gate, GateError, Tls, Tokens};

/// Tokens and certificates that hold now.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    pub tokens: Option<Tokens>,
    pub tls: Option<Tls>,
}

impl Gate {
    /// What holds now; a request keeps to what it began with.
    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again. Each that is broken leaves what held before: a
    /// gate that let nobody in, or everybody, would be worse.
    pub(super) fn reload(&self) {
        let before = self.access();
        let tokens = before.tokens.as_ref().map(Tokens::again);
        let tls = before.tls.as_ref().map(Tls::again);
        self.log.event("reload", &[("tokens", told(tokens.as_ref())), ("certificate", told(tls.as_ref()))]);
        let now = Access {
            tokens: tokens.and_then(Result::ok).or_else(|| before.tokens.clone()),
            tls: tls.and_then(Result::ok).or_else(|| before.tls.clone()),
        };
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
    }
}

/// What came of reading one of them again.
fn told<T>(read: Option<&Result<T, GateError>>) -> Value {
    match read {
        None => Value::Null,
        Some(Ok(_)) => "read again".into(),
        Some(Err(error)) => format!("the old ones stay: {error}").into(),
    }
}

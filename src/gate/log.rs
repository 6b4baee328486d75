//! One line of JSON per event. No header, no path and no query of a request is
//! ever in one: they may carry secrets. Names are made harmless for a terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::report::{sanitise, timestamp};

/// Characters of one value: enough for a name, too few to fill a disk.
const SHOWN: usize = 300;

/// Takes a line, without its end.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Where events go.
pub(super) struct Log(Sink);

impl Log {
    pub(super) fn new(sink: Sink) -> Self {
        Self(sink)
    }

    /// Writes one event; values that are null are left out.
    pub(super) fn event(&self, event: &'static str, values: &[(&'static str, Value)]) {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut line = Map::new();
        line.insert("time".to_owned(), timestamp(seconds).into());
        line.insert("event".to_owned(), event.into());
        for (name, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            let value = match value {
                Value::String(text) => shown(text).into(),
                other => other.clone(),
            };
            line.insert((*name).to_owned(), value);
        }
        (self.0)(&Value::Object(line).to_string());
    }
}

/// A string as a log may have it.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    let safe = sanitise(&short);
    if short.len() < text.len() { safe + "…" } else { safe }
}

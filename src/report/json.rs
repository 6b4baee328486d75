//! The report as JSON, and the schema that describes it.

use crate::report::Report;

/// The report as indented JSON with a final newline.
///
/// # Errors
/// Only when serialisation itself fails, which no report does.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

/// The JSON Schema of [`json`]'s output, generated from the same types.
///
/// # Errors
/// Only when serialisation itself fails.
pub fn schema() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&schemars::schema_for!(Report)).map(|text| text + "\n")
}

impl Report {
    /// Reads what [`json`] wrote. Fields of later versions are passed over.
    ///
    /// # Errors
    /// When it is not a report.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

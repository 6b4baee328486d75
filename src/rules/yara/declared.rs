//! The declarations of YARA rules, from their `meta`.

use std::collections::BTreeMap;

use crate::rules::declaration::{Confidence, Examples, Rule, Severity};

/// The declaration of a user's YARA rule: our fields where it has them, else
/// the common ones of public rule sets (`description`, `score`, `reference`).
pub(in crate::rules) fn of_user(rule: &yara_x::Rule<'_, '_>) -> Result<Rule, String> {
    // One that has our `id` and `remediation` is meant to be declared our way.
    let is_ours = ["id", "remediation"].iter().all(|field| rule.metadata().any(|(name, _)| name == *field));
    if is_ours {
        return declaration(rule);
    }
    let texts = |wanted: &'static str| {
        rule.metadata().filter(move |(name, _)| *name == wanted).map(|(_, value)| text_of(&value))
    };
    let text = |wanted: &'static str| texts(wanted).next();
    // Some sets have a score of 0 to 100, some call it severity.
    let score = text("score").or_else(|| text("severity")).and_then(|score| score.parse::<i64>().ok());
    let severity = text("severity").and_then(|name| Severity::from_name(&name.to_lowercase()));
    let severity = severity.unwrap_or(match score {
        Some(90..) => Severity::Critical,
        Some(70..90) => Severity::High,
        Some(..40) => Severity::Low,
        _ => Severity::Medium,
    });
    let description = text("description").unwrap_or_else(|| format!("YARA rule {} matches", rule.identifier()));
    Ok(Rule {
        id: rule.identifier().to_owned(),
        title: description.clone(),
        severity,
        confidence: Confidence::Medium,
        ssdf: list(Some("PW.4.4, RV.1.2".to_owned())),
        cwe: Vec::new(),
        cve: Vec::new(),
        atlas: Vec::new(),
        strict: false,
        formats: Vec::new(),
        not_formats: Vec::new(),
        message: "the content matches the YARA rule {value}".to_owned(),
        remediation: "See what the rule's author says.".to_owned(),
        why: description,
        references: texts("reference").flat_map(|reference| list(Some(reference))).collect(),
        when: None,
        examples: Examples::default(),
    })
}

/// The declaration that a YARA rule carries in its `meta`: the fields of
/// [`Rule`] by name, lists as comma-separated text.
pub(in crate::rules) fn declaration(rule: &yara_x::Rule<'_, '_>) -> Result<Rule, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in rule.metadata() {
        fields.insert(name.to_owned(), text_of(&value));
    }
    let mut take = |name: &str| fields.remove(name);
    let mut required = |name: &str| take(name).ok_or_else(|| format!("meta field `{name}` is missing"));
    let declared = Rule {
        id: required("id")?,
        title: required("title")?,
        severity: Severity::from_name(&required("severity")?).ok_or("meta field `severity` is not a severity")?,
        confidence: match required("confidence")?.as_str() {
            "low" => Confidence::Low,
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => return Err("meta field `confidence` is not low, medium or high".to_owned()),
        },
        message: required("message")?,
        remediation: required("remediation")?,
        why: required("why")?,
        ssdf: list(take("ssdf")),
        cwe: list(take("cwe")),
        cve: list(take("cve")),
        atlas: list(take("atlas")),
        strict: false,
        formats: list(take("formats")),
        not_formats: Vec::new(),
        references: list(take("references")),
        when: None,
        examples: Examples { fires: list(take("fires")), quiet: list(take("quiet")) },
    };
    match fields.into_keys().next() {
        Some(unknown) => Err(format!("meta field `{unknown}` is unknown")),
        None => Ok(declared),
    }
}

fn text_of(value: &yara_x::MetaValue<'_>) -> String {
    match value {
        yara_x::MetaValue::String(text) => (*text).to_owned(),
        yara_x::MetaValue::Integer(number) => number.to_string(),
        yara_x::MetaValue::Bool(flag) => flag.to_string(),
        yara_x::MetaValue::Float(number) => number.to_string(),
        yara_x::MetaValue::Bytes(bytes) => bytes.to_string(),
    }
}

fn list(text: Option<String>) -> Vec<String> {
    text.map(|text| text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
        .unwrap_or_default()
}

//! JUnit XML, as Jenkins and GitLab read it: a test case per file, which fails
//! when the file is malicious or suspicious and errs when it is incomplete.

use std::fmt::Write as _;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::report::escape::cut;
use crate::report::{FileReport, Finding, Report, Verdict, accepted, sanitise};
use crate::rules::Severity;

/// Longest `message` attribute: CI systems show it on one line.
const MESSAGE: usize = 300;

/// The report as JUnit XML.
///
/// # Errors
/// Only when writing to memory fails.
pub fn junit(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests = report.summary.files.to_string();
    let failures = (report.summary.malicious + report.summary.suspicious).to_string();
    let errors = report.summary.incomplete.to_string();
    let counts =
        [("name", "weighin"), ("tests", tests.as_str()), ("failures", failures.as_str()), ("errors", errors.as_str())];
    writer.create_element("testsuites").with_attributes(counts).write_inner_content(|writer| {
        let suite = writer.create_element("testsuite").with_attributes(counts).with_attribute(("skipped", "0"));
        suite.write_inner_content(|writer| {
            writer.create_element("properties").write_inner_content(|writer| {
                for (name, value) in properties(report) {
                    let property = writer.create_element("property");
                    property.with_attributes([("name", name), ("value", value.as_str())]).write_empty()?;
                }
                Ok(())
            })?;
            report.files.iter().try_for_each(|file| test_case(writer, file))
        })?;
        Ok(())
    })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn properties(report: &Report) -> Vec<(&'static str, String)> {
    let mut properties = vec![("version", report.tool.version.clone()), ("ruleset", report.ruleset.digest.clone())];
    properties.extend(report.policy.as_ref().map(|policy| ("policy", policy.sha256.clone())));
    if let Some(triage) = &report.triage {
        properties.push(("suppressed", triage.suppressed.to_string()));
        properties.push(("expired", triage.expired.to_string()));
        properties.push(("unused", triage.unused.to_string()));
        properties.extend(accepted::idle(triage).map(|(_, line)| ("suppression", line)));
    }
    properties
}

fn test_case(writer: &mut Writer<Vec<u8>>, file: &FileReport) -> io::Result<()> {
    let path = sanitise(&file.path);
    let class = sanitise(&format!("weighin.{}", file.format.as_deref().unwrap_or("unrecognised")));
    let case = writer.create_element("testcase").with_attributes([
        ("classname", class.as_str()),
        ("name", path.as_str()),
        ("file", path.as_str()),
    ]);
    let notes = lines(file);
    match (file.verdict, file.counted().next()) {
        (Verdict::Malicious | Verdict::Suspicious, Some(worst)) => {
            let message = cut(&sanitise(&format!("{}: {}", worst.severity.name(), worst.message)), MESSAGE);
            case.write_inner_content(|writer| outcome(writer, "failure", &worst.rule, &message, &notes))?;
        }
        (Verdict::Incomplete, _) => {
            let reason = file.gaps.first().map_or("incomplete", |gap| gap.reason.name());
            let detail = file.gaps.first().map_or("", |gap| gap.detail.as_str());
            let message = cut(&sanitise(&format!("not fully examined: {detail}")), MESSAGE);
            case.write_inner_content(|writer| outcome(writer, "error", reason, &message, &notes))?;
        }
        _ if notes.is_empty() => {
            case.write_empty()?;
        }
        _ => {
            case.write_inner_content(|writer| {
                writer.create_element("system-out").write_text_content(BytesText::new(&notes))?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn outcome(
    writer: &mut Writer<Vec<u8>>,
    element: &'static str,
    kind: &str,
    message: &str,
    notes: &str,
) -> io::Result<()> {
    let element =
        writer.create_element(element).with_attributes([("type", sanitise(kind).as_str()), ("message", message)]);
    element.write_text_content(BytesText::new(notes))?;
    Ok(())
}

/// Everything that is to be said of a file, a line each.
fn lines(file: &FileReport) -> String {
    let mut out = String::new();
    for finding in &file.findings {
        let _ = writeln!(out, "{}", line(finding));
        if finding.severity > Severity::Low && finding.suppressed.is_none() {
            let _ = writeln!(out, "  {}", sanitise(&finding.remediation));
        }
    }
    for gap in &file.gaps {
        let mut place = String::new();
        for member in &gap.members {
            place.push('!');
            place.push_str(member);
        }
        let _ = writeln!(out, "not examined{}: {}: {}", sanitise(&place), gap.reason.name(), sanitise(&gap.detail));
    }
    out
}

fn line(finding: &Finding) -> String {
    let times = if finding.occurrences > 1 { format!(", {} times", finding.occurrences) } else { String::new() };
    sanitise(&format!(
        "{} {} {}: {} ({}{times})",
        finding.severity.name(),
        finding.rule,
        finding.title,
        finding.message,
        finding.location
    )) + &accepted::notes(finding)
}

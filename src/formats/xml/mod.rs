//! XML: PMML models, OpenVINO networks and any other. Read as events; no
//! entity is ever resolved, nothing outside the document is ever opened.

mod openvino;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::artifact::Companion;
use crate::engine::Cx;
use crate::evidence::{Evidence, Kind, Span};
use crate::formats::{About, Format, Head, Match};
use crate::input::{Input, to_u64, to_usize};
use crate::stop::Stop;
use crate::text;

/// Reads XML: see [`Format`].
#[derive(Debug)]
pub struct Xml;

const NAMED: &[&str] = &[".xml", ".pmml", ".xmodel", ".urdf", ".svg", ".xsl", ".xslt", ".rng", ".plist"];

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn about(&self) -> About {
        About {
            title: "XML 1.0; PMML 4 models, OpenVINO networks",
            extensions: &[".xml", ".pmml"],
            reads: "declarations, every element and attribute: entities, inclusions, scripts, libraries",
            leaves_out: "what the numbers of a model mean; the weights beside an OpenVINO network",
        }
    }

    fn recognise(&self, head: &Head<'_>) -> Match {
        let first = text::decode(head.first.get(..head.first.len().min(512)).unwrap_or_default()).into_owned();
        let start = first.trim_start();
        let begins = start.starts_with("<?xml")
            || start.starts_with("<!DOCTYPE") && !start.to_lowercase().starts_with("<!doctype html");
        let named = head.is_named(NAMED) && start.starts_with('<');
        if (begins || named) && !head.is_named(&[".html", ".htm"]) { Match::Likely } else { Match::No }
    }

    fn read(&self, input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
        let outcome = read(input, cx);
        text::keep_limit(outcome, cx)
    }
}

fn read(input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let bytes = input.all(cx.limits().header_bytes)?;
    let source = text::decode(&bytes).into_owned();
    let name = cx.name().to_lowercase();
    let outcome = document(&source, &bytes, input, cx);
    let named = NAMED.iter().any(|ending| name.ends_with(ending));
    if let Err(stop) = &outcome
        && named
    {
        cx.gap(stop);
        return Ok(());
    }
    outcome
}

fn document(source: &str, bytes: &[u8], input: &Input, cx: &mut Cx<'_, '_>) -> Result<(), Stop> {
    let mut reader = Reader::from_str(source);
    reader.config_mut().check_end_names = false;
    let mut depth = 0_u64;
    let mut rooted = false;
    let mut weights = None;
    // Within an `Extension` of PMML, whose text is for programs.
    let mut extended = false;
    let mut followed = false;
    loop {
        let at = reader.buffer_position();
        cx.charge(1, at)?;
        let event = reader.read_event();
        match event {
            Err(error) => {
                return Err(Stop::malformed(at, format!("not XML: {}", text::excerpt(&error.to_string(), 120))));
            }
            Ok(Event::Eof) => break,
            // Readers stop at the end of the root, or refuse what is behind it.
            Ok(Event::Text(text)) if rooted && depth == 0 && !followed && !text.trim().is_empty() => {
                followed = true;
                if let Some(from) = place(source, bytes, at) {
                    cx.behind("behind the document", input, from)?;
                }
            }
            Ok(Event::DocType(declared)) => doctype(&declared, at, cx),
            Ok(Event::Start(element)) => {
                depth = depth.saturating_add(1);
                if depth > cx.limits().nesting {
                    return Err(Stop::Limit { offset: at, limit: "nesting" });
                }
                if !rooted && element.name().as_ref() == "net" {
                    weights = weights_beside(cx.name());
                }
                self::element(&element, weights.as_deref(), at, cx);
                extended = element.name().as_ref() == "Extension";
                rooted = true;
            }
            Ok(Event::Empty(element)) => {
                self::element(&element, weights.as_deref(), at, cx);
                rooted = true;
            }
            Ok(Event::Text(text)) if extended && is_call(&text) => construct("script", &text, at, cx),
            // What an engine is told to evaluate stands in the text of an element.
            Ok(Event::CData(text)) if is_script(&text) => construct("script", &text, at, cx),
            Ok(Event::End(_)) => {
                extended = false;
                depth = depth.saturating_sub(1);
            }
            Ok(_) => {}
        }
    }
    if depth > 0 || !rooted {
        return Err(Stop::Truncated { offset: to_u64(source.len()), needed: 1 });
    }
    Ok(())
}

/// Where in `bytes` stands what stands at `at` in the text that they are.
fn place(source: &str, bytes: &[u8], at: u64) -> Option<u64> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return None;
    }
    let (before, after) = source.split_at_checked(to_usize(at))?;
    if std::str::from_utf8(bytes).is_ok() {
        return to_u64(bytes.len()).checked_sub(to_u64(after.len()));
    }
    // A character stands for each byte.
    Some(to_u64(before.chars().count()))
}

fn construct(what: &str, detail: &str, at: u64, cx: &mut Cx<'_, '_>) {
    cx.push(Evidence::new(Kind::XmlConstruct, what, Span::at(at)).with("detail", text::excerpt(detail, 200)));
}

/// A document type declaration, with its internal subset.
fn doctype(declared: &str, at: u64, cx: &mut Cx<'_, '_>) {
    let subset = declared.find('[').and_then(|from| declared.get(from..)).unwrap_or_default();
    let outside = declared.get(..declared.len().saturating_sub(subset.len())).unwrap_or_default();
    let mut said = false;
    for (from, _) in subset.match_indices("<!ENTITY") {
        let rest = subset.get(from..).unwrap_or_default();
        let declaration =
            rest.get(..rest.find('>').map_or(rest.len(), |end| end.saturating_add(1))).unwrap_or_default();
        let external = declaration.contains(" SYSTEM")
            || declaration.contains(" PUBLIC")
            || declaration.contains("\tSYSTEM")
            || declaration.contains("\nSYSTEM");
        construct(if external { "external" } else { "entity" }, declaration, at, cx);
        said = true;
    }
    if (outside.contains("SYSTEM") || outside.contains("PUBLIC")) && !is_known_dtd(outside) {
        // A relative document type names the language; an address or a path of
        // the author's own is fetched, with a public name before it or without.
        let own = ["://", "\"/", "'/", "../", "..\\"].iter().any(|mark| place_of(outside).contains(mark));
        construct(if own { "external" } else { "document-type" }, outside, at, cx);
        said = true;
    }
    if !said {
        construct("doctype", declared, at, cx);
    }
}

/// What a document type declaration says about where it is: its system
/// identifier, the last of its quoted texts (XML 1.0, section 4.2.2), with its
/// quotes.
fn place_of(outside: &str) -> &str {
    let end = outside.trim_end();
    let Some(quote) = end.chars().last().filter(|last| matches!(last, '"' | '\'')) else { return outside };
    let inner = end.len().saturating_sub(1);
    let start = end.get(..inner).and_then(|before| before.rfind(quote));
    start.and_then(|start| end.get(start..)).unwrap_or(outside)
}

/// Document types of publishers of vector graphics, property lists, help files
/// and settings, at their own addresses.
fn is_known_dtd(outside: &str) -> bool {
    const PUBLISHERS: &[&str] = &[
        "www.w3.org",
        "www.apple.com",
        "www.oasis-open.org",
        "www.freedesktop.org",
        "www.dmg.org",
        "dmg.org",
        "java.sun.com",
        "xmlns.oracle.com",
        "hibernate.org",
        "www.hibernate.org",
        "www.springframework.org",
        "mybatis.org",
        "logging.apache.org",
        "www.docbook.org",
        // GIFTI, the surfaces.
        "www.nitrc.org",
        "gifti.projects.nitrc.org",
    ];
    let place = place_of(outside);
    let Some((_, address)) = place.split_once("://") else {
        return outside.contains("-//W3C//") && !place.contains(['/', '\\']);
    };
    PUBLISHERS.iter().any(|publisher| address.strip_prefix(publisher).is_some_and(|path| path.starts_with('/')))
}

/// The file beside an OpenVINO network that has its numbers: called as the
/// network is.
fn weights_beside(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next()?;
    let stem = base.get(..base.len().checked_sub(4)?)?;
    Some(format!("{stem}.bin"))
}

/// An element: inclusions, scripts, and what OpenVINO and PMML load. `weights`
/// is the file with the numbers of an OpenVINO network.
fn element(element: &BytesStart<'_>, weights: Option<&str>, at: u64, cx: &mut Cx<'_, '_>) {
    let name = element.name().as_ref().to_owned();
    let local = name.rsplit(':').next().unwrap_or(&name).to_owned();
    let mut attributes: Vec<(String, String)> = Vec::new();
    for attribute in element.attributes().with_checks(false).flatten() {
        let key = attribute.key.as_ref().to_owned();
        attributes.push((key, attribute.value.into_owned()));
    }
    let value = |key: &str| attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let number = |key: &str| value(key).and_then(|value| value.trim().parse::<u64>().ok());
    if let (Some(path), Some(begin), Some(size)) = (weights, value("offset"), value("size")) {
        match (number("offset"), number("size")) {
            (Some(offset), Some(length)) if offset.checked_add(length).is_some() => {
                cx.companion(Companion::Part { path: path.to_owned(), offset, length });
            }
            _ => {
                let detail = text::excerpt(&format!("{size} bytes at {begin}"), 120);
                let evidence = Evidence::new(Kind::TensorLayout, "overflow", Span::at(at)).with("tensor", path);
                cx.push(evidence.with("detail", detail));
            }
        }
    }
    let shown = format!(
        "{name} {}",
        attributes.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    );
    match local.as_str() {
        "include" if value("href").is_some() || name != local => construct("xinclude", &shown, at, cx),
        "script" | "Script" => construct("script", &shown, at, cx),
        "layer" => {
            if let Some(library) = value("library").filter(|library| is_file(library)) {
                construct("library", library, at, cx);
            }
            let (kind, set) = (value("type").unwrap_or_default(), value("version"));
            if let Some(set) = set.filter(|set| weights.is_some() && openvino::is_foreign(kind, set)) {
                construct("extension-layer", &format!("{kind} of {set}"), at, cx);
            }
        }
        // What the plug-ins for GPUs are told to compile (`CONFIG_FILE`).
        "Source" => {
            if let Some(kernel) = value("filename").filter(|kernel| openvino::is_kernel(kernel)) {
                construct("kernel", kernel, at, cx);
            }
        }
        "Extension" => {
            let extender = value("extender").unwrap_or_default().to_owned();
            let said = value("value").unwrap_or_default().to_owned();
            if is_code(&said) || is_code(&extender) {
                construct("script", &shown, at, cx);
            }
        }
        "DefineFunction" | "Apply" => {
            if let Some(function) = value("function").or_else(|| value("name"))
                && is_code(function)
            {
                construct("script", &shown, at, cx);
            }
        }
        _ => {}
    }
    for (key, value) in &attributes {
        let outside = key.ends_with("schemaLocation") || key == "xmlns" || key.starts_with("xmlns:");
        if !outside && (value.starts_with("file:///") || value.starts_with("\\\\") && value.len() > 2) {
            construct("external", &format!("{key}={value}"), at, cx);
        }
        if key == "library" && local != "layer" && is_file(value) || key == "extension_path" {
            construct("library", value, at, cx);
        }
    }
}

/// Whether a library is named as a file, not as a device or a set of operators.
fn is_file(library: &str) -> bool {
    let lower = library.to_lowercase();
    library.contains(['/', '\\']) || [".so", ".dll", ".dylib", ".pyd"].iter().any(|ending| lower.contains(ending))
}

/// Prose that holds a call of what runs commands or code, not a word of it.
fn is_call(text: &str) -> bool {
    ["os.system(", "os.popen(", "subprocess.", "__import__(", "Runtime.getRuntime", "ProcessBuilder", "<script"]
        .iter()
        .any(|call| text.contains(call))
        || ["eval(", "exec(", "system("].iter().any(|call| text.trim_start().starts_with(call))
}

/// Text that is code of a kind that no description quotes.
fn is_script(text: &str) -> bool {
    ["Runtime.getRuntime", "ProcessBuilder", "<script"].iter().any(|code| text.contains(code))
}

/// Text that would run somewhere: a call of an interpreter or of a runtime.
fn is_code(text: &str) -> bool {
    [
        "Runtime.getRuntime",
        "ProcessBuilder",
        "javax.script",
        "eval(",
        "exec(",
        "system(",
        "os.system",
        "subprocess",
        "__import__",
        "java.lang.Runtime",
        "<script",
        "/bin/sh",
        "cmd.exe",
        "powershell",
    ]
    .iter()
    .any(|code| text.contains(code))
}

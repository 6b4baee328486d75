//! Embeds the rules: declarations and name sets checked and turned into forms
//! that load in microseconds, YARA rules compiled to native code.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[allow(dead_code, reason = "build.rs uses only the deserialisers")]
#[path = "src/rules/declaration.rs"]
mod declaration;

#[allow(dead_code, reason = "some fields are for the reader of a set")]
#[path = "src/rules/name_set.rs"]
mod name_set;

use declaration::Rule;
use name_set::{NameSet, SetKind};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=src/rules/declaration.rs");
    println!("cargo::rerun-if-changed=src/rules/name_set.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let files = files_below(Path::new("rules"))?;
    fs::write(out.join("rules.json"), rules(&files)?)?;
    fs::write(out.join("names.rs"), names(&files)?)?;
    fs::write(out.join("rules.yarc"), yara(&files)?)?;
    Ok(())
}

/// Every file below `dir`, sorted, so that the build is reproducible.
fn files_below(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_below(path: &Path, dir: &str) -> bool {
    path.starts_with(Path::new("rules").join(dir))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Outcome<T> {
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// All evidence rules as JSON, in the order of their ids.
fn rules(files: &[PathBuf]) -> Outcome<String> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "toml") && !is_below(path, "sets")) {
        let rule: Rule = parse(path)?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !file.starts_with(&rule.id) {
            return Err(format!("{}: the file's name must begin with the rule's id {}", path.display(), rule.id).into());
        }
        if let Some(other) = rules.insert(rule.id.clone(), rule) {
            return Err(format!("{}: rule id {} is used twice", path.display(), other.id).into());
        }
    }
    Ok(serde_json::to_string(&rules.into_values().collect::<Vec<_>>())?)
}

/// The name sets as sorted tables, searched in place at run time.
fn names(files: &[PathBuf]) -> Outcome<String> {
    let mut exact: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut below: BTreeMap<String, String> = BTreeMap::new();
    let mut conditional = String::new();
    let (mut modules, mut attributes, mut renames) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut stdlib: BTreeSet<String> = BTreeSet::new();
    for path in files.iter().filter(|path| is_below(path, "sets") && path.extension().is_some_and(|e| e == "toml")) {
        match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("stdlib") => {
                let table: toml::Table = parse(path)?;
                stdlib.extend(table_of(&table, "modules")?.into_keys());
                continue;
            }
            Some("aliases") => {
                let table: toml::Table = parse(path)?;
                modules.extend(table_of(&table, "modules")?);
                attributes.extend(table_of(&table, "attributes")?);
                renames.extend(table_of(&table, "names")?);
                continue;
            }
            _ => {}
        }
        let set: NameSet = parse(path)?;
        match set.kind {
            SetKind::Dangerous => {
                for name in set.names {
                    if let Some(prefix) = name.strip_suffix(".*") {
                        below.insert(prefix.to_owned(), set.name.clone());
                    } else {
                        exact.insert(name, (set.name.clone(), String::new()));
                    }
                }
            }
            SetKind::Reviewed => {
                for group in set.group {
                    let class = if group.calls { "reviewed-calls" } else { "reviewed" };
                    let nature = group.nature.unwrap_or_default();
                    for name in group.names {
                        if name.ends_with(".*") {
                            return Err(format!("{}: {name}: a reviewed name is exact", path.display()).into());
                        }
                        exact.entry(name).or_insert_with(|| (class.to_owned(), nature.clone()));
                    }
                }
            }
            SetKind::Conditional => {
                for group in set.group {
                    for name in group.names {
                        let args: Vec<String> = group
                            .args
                            .iter()
                            .map(|(index, allowed)| format!("(\"arg.{index}\", &{allowed:?})"))
                            .collect();
                        writeln!(conditional, "    ({name:?}, &[{}]),", args.join(", "))?;
                    }
                }
            }
        }
    }
    let mut code = String::new();
    writeln!(code, "pub(crate) static EXACT: &[(&str, &str, &str)] = &[")?;
    for (name, (class, nature)) in &exact {
        writeln!(code, "    ({name:?}, {class:?}, {nature:?}),")?;
    }
    writeln!(code, "];\npub(crate) static BELOW: &[(&str, &str)] = &[")?;
    for (name, class) in &below {
        writeln!(code, "    ({name:?}, {class:?}),")?;
    }
    writeln!(
        code,
        "];\ntype Conditions = &'static [(&'static str, &'static [&'static str])];\n\
         pub(crate) static CONDITIONAL: &[(&str, Conditions)] = &[\n{conditional}];"
    )?;
    writeln!(code, "pub(crate) static STDLIB: &[&str] = &[")?;
    for name in &stdlib {
        writeln!(code, "    {name:?},")?;
    }
    writeln!(code, "];")?;
    for (table, pairs) in [("MODULES", modules), ("ATTRIBUTES", attributes), ("RENAMES", renames)] {
        writeln!(code, "pub(crate) static {table}: &[(&str, &str)] = &[")?;
        for (from, to) in pairs {
            writeln!(code, "    ({from:?}, {to:?}),")?;
        }
        writeln!(code, "];")?;
    }
    Ok(code)
}

fn table_of(table: &toml::Table, key: &str) -> Outcome<BTreeMap<String, String>> {
    let Some(inner) = table.get(key) else { return Ok(BTreeMap::new()) };
    Ok(inner.clone().try_into()?)
}

/// The embedded YARA rules, compiled, native code included.
fn yara(files: &[PathBuf]) -> Outcome<Vec<u8>> {
    let mut compiler = yara_x::Compiler::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "yar")) {
        let source = fs::read_to_string(path)?;
        let origin = path.to_string_lossy().into_owned();
        compiler.add_source(yara_x::SourceCode::from(source.as_str()).with_origin(origin))?;
    }
    Ok(compiler.build().serialize()?)
}

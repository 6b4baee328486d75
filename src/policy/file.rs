//! What a policy file may say. Unknown keys and wrong values are errors with
//! line and column: a policy that is half understood is worse than none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::limits::Limits;
use crate::policy::{Date, Origin, Policy, PolicyError, Setting, Suppression, paths};
use crate::position::Position;
use crate::rules::Severity;

/// The file of Python projects, which has policies in `[tool.weighin]`.
pub(super) const PYPROJECT: &str = "pyproject.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Declared {
    fail_on: Option<Spanned<Severity>>,
    allow_incomplete: Option<Spanned<bool>>,
    strict: Option<Spanned<bool>>,
    trust_known_good: Option<Spanned<bool>>,
    #[serde(default)]
    severity: BTreeMap<Spanned<String>, Severity>,
    #[serde(default)]
    allow_imports: Vec<Spanned<String>>,
    #[serde(default)]
    allow_operator_domains: Vec<Spanned<String>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    #[serde(default)]
    limits: BTreeMap<Spanned<String>, u64>,
    #[serde(default)]
    rules: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    known_bad: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    known_good: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    suppress: Vec<DeclaredSuppression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredSuppression {
    rule: Spanned<String>,
    path: Option<Spanned<String>>,
    sha256: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Option<Spanned<Expiry>>,
}

/// A TOML date, or the same as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expiry {
    Date(toml::value::Datetime),
    Text(String),
}

#[derive(Deserialize)]
struct PyProject {
    tool: Option<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    weighin: Option<Declared>,
}

/// Whether a `pyproject.toml` has a policy.
pub(super) fn has_table(file: &Path, text: &str) -> Result<bool, PolicyError> {
    #[derive(Deserialize)]
    struct Outline {
        tool: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    }
    let outline: Outline = toml::from_str(text).map_err(|error| of_toml(file, text, &error))?;
    Ok(outline.tool.is_some_and(|tool| tool.contains_key("weighin")))
}

fn of_toml(file: &Path, text: &str, error: &toml::de::Error) -> PolicyError {
    let position = Position::of_error(text, error);
    PolicyError::Wrong { file: file.display().to_string(), position, message: error.message().to_owned() }
}

/// The policy that the text of `file` declares.
pub(super) fn parse(file: &Path, text: &str) -> Result<Policy, PolicyError> {
    let declared = if file.file_name().is_some_and(|name| name == PYPROJECT) {
        let project: PyProject = toml::from_str(text).map_err(|error| of_toml(file, text, &error))?;
        let declared = project.tool.and_then(|tool| tool.weighin);
        declared.ok_or_else(|| PolicyError::of(file, "there is no [tool.weighin]"))?
    } else {
        toml::from_str(text).map_err(|error| of_toml(file, text, &error))?
    };
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Reader { base: file.parent().unwrap_or(Path::new("")), file: &file, text }.policy(declared)
}

/// Turns what is declared into a policy, with the origin of each value.
struct Reader<'r> {
    file: &'r Path,
    base: &'r Path,
    text: &'r str,
}

impl Reader<'_> {
    fn policy(&self, declared: Declared) -> Result<Policy, PolicyError> {
        let mut policy = Policy::none(self.base);
        policy.file = Some(self.file.to_owned());
        self.set(declared.fail_on, &mut policy.fail_on);
        self.set(declared.allow_incomplete, &mut policy.allow_incomplete);
        self.set(declared.strict, &mut policy.strict);
        self.set(declared.trust_known_good, &mut policy.trust_known_good);
        for (id, value) in declared.severity {
            let origin = self.origin(&id);
            policy.severity.insert(id.into_inner(), Setting { value, origin });
        }
        for (name, value) in declared.limits {
            let known = Limits::default().set(name.get_ref(), value);
            known.map_err(|unknown| self.wrong(&name, unknown.to_string()))?;
            let origin = self.origin(&name);
            policy.limits.insert(name.into_inner(), Setting { value, origin });
        }
        policy.allow_imports = self.checked(declared.allow_imports, |name| {
            let name = name.strip_suffix(".*").unwrap_or(name);
            if name.is_empty() || name.contains('*') {
                return Err("wanted an exact name, or `prefix.*` for all below it".to_owned());
            }
            Ok(())
        })?;
        policy.allow_operator_domains = self.checked(declared.allow_operator_domains, |domain| {
            if domain.strip_suffix(".*").unwrap_or(domain).contains('*') || domain == ".*" {
                return Err("wanted a domain, `domain.*` for those below it, or `domain::operator`".to_owned());
            }
            Ok(())
        })?;
        policy.exclude = self.checked(declared.exclude, |glob| paths::parse(glob).map(|_| ()))?;
        policy.rules = self.relative(declared.rules);
        policy.known_bad = self.relative(declared.known_bad);
        policy.known_good = self.relative(declared.known_good);
        for suppression in declared.suppress {
            policy.suppress.push(self.suppression(suppression)?);
        }
        Ok(policy)
    }

    fn set<T>(&self, declared: Option<Spanned<T>>, setting: &mut Setting<T>) {
        if let Some(declared) = declared {
            *setting = self.setting(declared);
        }
    }

    fn setting<T>(&self, declared: Spanned<T>) -> Setting<T> {
        Setting { origin: self.origin(&declared), value: declared.into_inner() }
    }

    fn checked(
        &self,
        declared: Vec<Spanned<String>>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Vec<Setting<String>>, PolicyError> {
        let each = declared.into_iter().map(|item| {
            check(item.get_ref()).map_err(|message| self.wrong(&item, message))?;
            Ok(self.setting(item))
        });
        each.collect()
    }

    /// Paths are relative to the folder of the policy.
    fn relative(&self, declared: Vec<Spanned<PathBuf>>) -> Vec<Setting<PathBuf>> {
        let each = declared.into_iter().map(|path| {
            let origin = self.origin(&path);
            Setting { value: self.base.join(path.into_inner()), origin }
        });
        each.collect()
    }

    fn suppression(&self, declared: DeclaredSuppression) -> Result<Suppression, PolicyError> {
        if declared.path.is_none() && declared.sha256.is_none() {
            let message = "a suppression needs `path`, `sha256` or both; `[severity]` changes a rule everywhere";
            return Err(self.wrong(&declared.rule, message));
        }
        if declared.reason.get_ref().trim().is_empty() {
            return Err(self.wrong(&declared.reason, "the reason is empty"));
        }
        if let Some(path) = &declared.path {
            paths::parse(path.get_ref()).map_err(|message| self.wrong(path, message))?;
        }
        if let Some(sha256) = &declared.sha256
            && super::digests::parse(sha256.get_ref()).is_none()
        {
            return Err(self.wrong(sha256, "wanted 64 hexadecimal digits"));
        }
        let expires = match &declared.expires {
            None => None,
            Some(expires) => {
                let text = match expires.get_ref() {
                    Expiry::Date(date) => date.to_string(),
                    Expiry::Text(text) => text.clone(),
                };
                let date = Date::parse(&text);
                Some(date.ok_or_else(|| self.wrong(expires, format!("`{text}` is not a day as YYYY-MM-DD")))?)
            }
        };
        Ok(Suppression {
            origin: self.origin(&declared.rule),
            rule: declared.rule.into_inner(),
            path: declared.path.map(Spanned::into_inner),
            sha256: declared.sha256.map(|sha256| sha256.into_inner().to_lowercase()),
            reason: declared.reason.into_inner(),
            expires,
        })
    }

    fn origin<T>(&self, declared: &Spanned<T>) -> Origin {
        Origin::File(self.position(declared))
    }

    fn position<T>(&self, declared: &Spanned<T>) -> Position {
        Position::of(self.text, declared.span().start)
    }

    fn wrong<T>(&self, declared: &Spanned<T>, message: impl Into<String>) -> PolicyError {
        PolicyError::Wrong {
            file: self.file.display().to_string(),
            position: Some(self.position(declared)),
            message: message.into(),
        }
    }
}

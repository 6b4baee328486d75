//! Template engines that run Python: what of a template is code, and which
//! engine a call is of. The code is handed on as source; nothing is rendered.

/// An engine, by the code that its templates hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Jinja,
    Mako,
    Tornado,
    Bottle,
    Cheetah,
    Chameleon,
}

/// The engine to whose templates the first argument of a call of `name` belongs.
pub(super) fn engine(name: &str) -> Option<Engine> {
    Some(match name {
        "jinja2.Template"
        | "jinja2.environment.Template"
        | "jinja2.nativetypes.NativeTemplate"
        | "flask.render_template_string"
        | "quart.render_template_string"
        | "flask.templating.render_template_string" => Engine::Jinja,
        // An environment of any kind: plain, native, sandboxed.
        _ if name.starts_with("jinja2.") && name.ends_with(".from_string") => Engine::Jinja,
        "mako.template.Template" => Engine::Mako,
        "tornado.template.Template" => Engine::Tornado,
        "bottle.template" | "bottle.SimpleTemplate" | "bottle.MakoTemplate" => Engine::Bottle,
        "Cheetah.Template.Template" => Engine::Cheetah,
        "chameleon.PageTemplate" | "chameleon.PageTextTemplate" | "chameleon.zpt.template.PageTemplate" => {
            Engine::Chameleon
        }
        _ => return None,
    })
}

impl Engine {
    /// The Python of a template, one statement or expression a line. What an
    /// engine binds by itself is imported first, so that walks through it end
    /// where they lead.
    pub(super) fn code(self, text: &str) -> String {
        let (known, code) = match self {
            Self::Jinja => return String::new(),
            Self::Mako => {
                let code = [between(text, "<%", "%>"), between(text, "${", "}"), lines(text, "%")].concat();
                ("import mako.runtime as self, mako.runtime as context, mako.runtime as local\n", code)
            }
            Self::Tornado => {
                let code = [between(text, "{%", "%}"), between(text, "{{", "}}")].concat();
                ("import datetime, tornado.web as handler\n", code)
            }
            Self::Bottle => {
                let code = [lines(text, "%"), between(text, "<%", "%>"), between(text, "{{", "}}")].concat();
                ("", code)
            }
            Self::Cheetah => {
                let named = calls(text).into_iter().map(|call| call.replace('$', ""));
                let code = [lines(text, "#"), between(text, "<%", "%>"), between(text, "${", "}")].concat();
                ("import Cheetah.Template as self\n", code.into_iter().chain(named).collect())
            }
            Self::Chameleon => {
                let plain = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<");
                let code =
                    [between(&plain, "python:", "\"/>"), between(&plain, "<?python", "?>"), between(&plain, "${", "}")];
                let attributes = text.split("python:").skip(1).filter_map(|part| part.split(['"', '\'']).next());
                let attributes = attributes.map(|part| part.replace("&quot;", "\"").replace("&apos;", "'"));
                ("", code.concat().into_iter().chain(attributes).collect())
            }
        };
        let code: Vec<String> = code.iter().flat_map(|part| statements(part)).collect();
        if code.is_empty() { String::new() } else { format!("{known}{}", code.join("\n")) }
    }
}

fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    let parts = text.split(start).skip(1).filter_map(|part| part.split_once(end));
    parts.map(|(code, _)| code.trim().to_owned()).collect()
}

/// What follows `mark` on lines that begin with it.
fn lines(text: &str, mark: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(mark));
    lines.filter(|line| !line.starts_with(['#', '%', '>'])).map(|line| line.trim().to_owned()).collect()
}

/// `$name.of.something(...)`, up to the end of its line.
fn calls(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| line.split('$').skip(1)).filter(|part| part.contains('(')).map(str::to_owned).collect()
}

/// The Python of one directive or expression: statements of several lines as
/// they are, the expression of one that has a word of the engine's before it.
fn statements(code: &str) -> Vec<String> {
    // mako: `!` for a block of the module; tornado: `!` for what is left alone.
    let code = code.trim_start_matches('!').trim();
    if code.contains('\n') {
        return vec![code.to_owned()];
    }
    let (word, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
    let rest = rest.trim().trim_end_matches(':');
    let after = |mark: &str| rest.split_once(mark).map(|(_, value)| value.trim().to_owned());
    match word {
        "import" | "from" => vec![code.to_owned()],
        "end" | "else" | "else:" | "try" | "except" | "finally" | "block" | "extends" | "include" | "comment"
        | "autoescape" | "whitespace" | "endfor" | "endif" | "break" | "continue" => Vec::new(),
        "if" | "elif" | "while" | "raw" | "module" | "apply" | "silent" | "echo" | "unless" | "not" | "return" => {
            vec![rest.to_owned()]
        }
        "set" => after("=").into_iter().collect(),
        "for" => after(" in ").into_iter().collect(),
        // `${value | filter}`
        _ => vec![code.rsplit_once(" | ").filter(|_| !code.contains('"')).map_or(code, |(value, _)| value).to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_taken_of_a_template() {
        let mako = Engine::Mako.code("a <%! import os %> b ${os.name}\n% for x in f():\n% endfor\n## no code\n");
        assert!(mako.ends_with("\nimport os\nos.name\nf()"), "{mako}");
        let tornado = Engine::Tornado.code("{% import os %}<b>{{ os.name }}</b>{% if g() %}{% end %}");
        assert!(tornado.ends_with("\nimport os\ng()\nos.name"), "{tornado}");
        assert_eq!(Engine::Bottle.code("% import os\n50 % of {{name}}\n"), "import os\nname");
        assert!(Engine::Cheetah.code("#import os\n$os.popen(1)\n").ends_with("import os\nos.popen(1)"));
        assert_eq!(Engine::Tornado.code("<p>plain</p>"), "");
    }
}

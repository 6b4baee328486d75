//! What a repository says of itself in the YAML front matter of its
//! `README.md`, as Hugging Face defines it. A claim of the publisher, not a
//! finding of weighin.

use saphyr_parser::{Event, Parser};

/// The front matter of a model card. All of it is hostile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelCard {
    /// `license`, as the card spells it; `other` with `license_name`.
    pub licence: Option<String>,
    /// `license_name`, of a licence that has no short name.
    pub licence_name: Option<String>,
    /// `license_link`.
    pub licence_link: Option<String>,
    /// `pipeline_tag`: the task.
    pub task: Option<String>,
    /// `library_name`.
    pub library: Option<String>,
    /// `base_model`, one or more.
    pub base_models: Vec<String>,
    /// `datasets`.
    pub datasets: Vec<String>,
    /// `language`.
    pub languages: Vec<String>,
    /// `tags`.
    pub tags: Vec<String>,
}

/// Events of YAML read before the rest is left: cards of honest repositories
/// have a few hundred.
const EVENTS: usize = 20_000;

/// Values kept of a list, and characters of a value.
const VALUES: usize = 200;
const CHARACTERS: usize = 300;

impl ModelCard {
    /// Reads the front matter between the first two `---` lines; nothing when
    /// there is none, or none of the known keys in it.
    pub fn from_readme(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text).strip_prefix("---")?;
        let rest = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n')?;
        let end = rest.find("\n---")?;
        let mut card = Self::default();
        let mut depth = 0_usize;
        // The key at depth one, while its value or the items of its value come.
        let mut key: Option<String> = None;
        for event in Parser::new_from_str(rest.get(..end)?).take(EVENTS) {
            // What came before the first mistake still counts.
            let Ok((event, _)) = event else { break };
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => {
                    depth = depth.saturating_sub(1);
                    if depth <= 1 {
                        key = None;
                    }
                }
                Event::Scalar(value, ..) => match (depth, key.as_deref()) {
                    (1, None) => key = Some(value.into_owned()),
                    (1, Some(_)) => {
                        card.set(&key.take().unwrap_or_default(), &value);
                    }
                    (2, Some(name)) => card.set(name, &value),
                    _ => {}
                },
                Event::Alias(_) if depth == 1 => key = None,
                _ => {}
            }
        }
        (card != Self::default()).then_some(card)
    }

    fn set(&mut self, key: &str, value: &str) {
        let value: String = value.chars().take(CHARACTERS).collect();
        if value.is_empty() {
            return;
        }
        let one = match key {
            "license" => &mut self.licence,
            "license_name" => &mut self.licence_name,
            "license_link" => &mut self.licence_link,
            "pipeline_tag" => &mut self.task,
            "library_name" => &mut self.library,
            _ => {
                let many = match key {
                    "base_model" => &mut self.base_models,
                    "datasets" => &mut self.datasets,
                    "language" => &mut self.languages,
                    "tags" => &mut self.tags,
                    _ => return,
                };
                if many.len() < VALUES {
                    many.push(value);
                }
                return;
            }
        };
        one.get_or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::ModelCard;

    #[test]
    fn known_keys_are_read_and_the_rest_is_left() {
        let text = "---\nlicense: apache-2.0\ndatasets:\n- one/a\n- two/b\nmodel-index:\n- name: x\n  results:\n  - task: {type: y}\nlanguage: en\nbase_model: org/base\n---\n# Card\nlicense: mit\n";
        let card = ModelCard::from_readme(text).expect("a card");
        assert_eq!(card.licence.as_deref(), Some("apache-2.0"));
        assert_eq!(card.datasets, ["one/a", "two/b"]);
        assert_eq!(card.languages, ["en"]);
        assert_eq!(card.base_models, ["org/base"]);
        assert!(card.tags.is_empty());
    }

    #[test]
    fn what_is_no_front_matter_is_no_card() {
        for text in [
            "",
            "# Title\n---\nlicense: mit\n---\n",
            "---\nlicense: mit\n",
            "---\nunknown: 1\n---\n",
            "---\n: : [\n---\n",
        ] {
            assert_eq!(ModelCard::from_readme(text), None, "{text}");
        }
    }

    /// What stands before the mistake is kept; a nested key is not a key.
    #[test]
    fn broken_front_matter_gives_what_came_before() {
        let card =
            ModelCard::from_readme("---\nlicense: mit\nextra: {license: evil}\ntags: [a\n---\n").expect("a card");
        assert_eq!(card.licence.as_deref(), Some("mit"));
    }
}

//! What the shared files of AWS (`~/.aws/credentials`, `~/.aws/config`) say for
//! one profile. The environment goes before it, and nothing in it is executed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object_store::aws::AmazonS3ConfigKey as Key;

/// Longest file that is read.
const MOST: u64 = 1 << 20;

/// Settings by name.
type Section = BTreeMap<String, String>;

/// Ways to come by credentials that are not followed, each by the setting that
/// asks for it.
const REFUSED: [(&str, &str); 6] = [
    ("credential_process", "runs a program"),
    ("sso_session", "needs a login"),
    ("sso_start_url", "needs a login"),
    ("login_session", "needs a login"),
    ("source_profile", "assumes a role"),
    ("credential_source", "assumes a role"),
];

/// The settings that the environment leaves open, credentials among them when
/// they are wanted.
///
/// # Errors
/// In words that name files and settings, and no values.
pub(super) fn settings(
    env: &dyn Fn(&str) -> Option<String>,
    with_credentials: bool,
) -> Result<Vec<(Key, String)>, String> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let file = |name: &str, base: &str| {
        let home = || env("HOME").or_else(|| env("USERPROFILE"));
        env(name).map(PathBuf::from).or_else(|| home().map(|home| Path::new(&home).join(".aws").join(base)))
    };
    let named = env("AWS_PROFILE");
    let name = named.as_deref().unwrap_or("default");
    let mut profile = Section::new();
    let mut is_there = false;
    // What the file of credentials says holds.
    for (variable, base) in [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")] {
        let Some(path) = file(variable, base) else { continue };
        if let Some(section) = section(&path, name, base == "config")? {
            is_there = true;
            profile.extend(section);
        }
    }
    if !is_there {
        return match named {
            Some(name) => Err(format!("AWS_PROFILE: neither ~/.aws/credentials nor ~/.aws/config has {name:?}")),
            None => Ok(Vec::new()),
        };
    }
    let mut found = Vec::new();
    if env("AWS_REGION").is_none() && env("AWS_DEFAULT_REGION").is_none() {
        found.extend(profile.get("region").map(|region| (Key::Region, region.clone())));
    }
    let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let ignored = env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if !ignored && endpoints.into_iter().all(|name| env(name).is_none()) {
        if profile.contains_key("services") {
            return Err(refused(name, "services", "names other endpoints; say endpoint_url or AWS_ENDPOINT_URL"));
        }
        found.extend(profile.get("endpoint_url").map(|url| (Key::Endpoint, url.clone())));
    }
    let by_env = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    if with_credentials && by_env.into_iter().all(|name| env(name).is_none()) {
        found.extend(credentials(name, &profile)?);
    }
    Ok(found)
}

/// The credentials of a profile; none when it has nothing to say of them.
fn credentials(name: &str, profile: &Section) -> Result<Vec<(Key, String)>, String> {
    let get = |setting: &str| profile.get(setting).filter(|value| !value.is_empty()).cloned();
    // A role that is to be assumed with these keys is another identity.
    let role = ["source_profile", "credential_source"].into_iter().any(|setting| profile.contains_key(setting));
    match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(id), Some(secret)) if !role => {
            let token = get("aws_session_token").map(|token| (Key::Token, token));
            return Ok([(Key::AccessKeyId, id), (Key::SecretAccessKey, secret)].into_iter().chain(token).collect());
        }
        (None, None) | (Some(_), Some(_)) => {}
        _ => return Err(format!("the AWS profile {name:?} has one half of a key")),
    }
    for (setting, why) in REFUSED {
        if profile.contains_key(setting) {
            return Err(refused(name, setting, &format!("{why}, which weighin does not do")));
        }
    }
    let web = [
        (Key::WebIdentityTokenFile, get("web_identity_token_file")),
        (Key::RoleArn, get("role_arn")),
        (Key::RoleSessionName, get("role_session_name")),
    ];
    Ok(web.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect())
}

fn refused(name: &str, setting: &str, why: &str) -> String {
    format!(
        "the AWS profile {name:?} has {setting}, which {why}; credentials of any kind can be handed over in the \
         environment: eval \"$(aws configure export-credentials --format env)\""
    )
}

/// What a file says of a profile; nothing when it is not there.
fn section(path: &Path, name: &str, is_config: bool) -> Result<Option<Section>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > MOST => return Err(wrong(&"too long for a file of settings")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    Ok(parse(&text, name, is_config))
}

/// The settings of `[name]`, in a file of configuration `[profile name]`.
/// Settings inside settings are indented, and of no interest here.
fn parse(text: &str, name: &str, is_config: bool) -> Option<Section> {
    let mut found: Option<Section> = None;
    let mut inside = false;
    for line in text.lines() {
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = plain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let words: Vec<&str> = header.0.split_whitespace().collect();
            let header = match words.as_slice() {
                ["profile", rest @ ..] if is_config => rest.join(" "),
                ["default"] => "default".to_owned(),
                // There, anything else is no profile.
                _ if is_config => String::new(),
                other => other.join(" "),
            };
            inside = header.trim_matches(['"', '\'']) == name;
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some(found), Some((setting, value)), false) =
            (inside, &mut found, plain.split_once('='), line.starts_with([' ', '\t']))
        {
            // A comment needs a blank before it: a key may have any sign in it.
            let value = [" #", " ;", "\t#", "\t;"]
                .iter()
                .fold(value, |value, mark| value.split_once(mark).map_or(value, |(value, _)| value));
            found.insert(setting.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# what `aws configure` writes, and more
[default]
region = eu-west-1
s3 =
    endpoint_url = http://nested.invalid
[profile team]
region=us-west-2 ; a comment
endpoint_url = http://127.0.0.1:9000
[profile runs]
credential_process = touch /tmp/never
[profile logs-in]
sso_session = corporate
[profile web]
role_arn = arn:aws:iam::1:role/r
web_identity_token_file = /token
[profile other]
role_arn = arn:aws:iam::1:role/r
source_profile = team
[profile far]
services = there
[team]
region = wrong
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = one
aws_secret_access_key = two#2
[team]
aws_access_key_id=three
aws_secret_access_key=four
aws_session_token=five==
[half]
aws_access_key_id = six
";

    fn told(set: &[(&str, &str)]) -> Result<Vec<(Key, String)>, String> {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join(".aws")).expect("made");
        std::fs::write(home.path().join(".aws/config"), CONFIG).expect("written");
        std::fs::write(home.path().join(".aws/credentials"), CREDENTIALS).expect("written");
        let home = home.path().display().to_string();
        let env = |name: &str| {
            let set = set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            set.or_else(|| (name == "HOME").then(|| home.clone()))
        };
        settings(&env, true)
    }

    fn pairs(found: &[(Key, &str)]) -> Result<Vec<(Key, String)>, String> {
        Ok(found.iter().map(|(key, value)| (*key, (*value).to_owned())).collect())
    }

    #[test]
    fn profiles_fill_what_the_environment_leaves_open() {
        let keys = [(Key::Region, "eu-west-1"), (Key::AccessKeyId, "one"), (Key::SecretAccessKey, "two#2")];
        assert_eq!(told(&[]), pairs(&keys));
        let team = [
            (Key::Region, "us-west-2"),
            (Key::Endpoint, "http://127.0.0.1:9000"),
            (Key::AccessKeyId, "three"),
            (Key::SecretAccessKey, "four"),
            (Key::Token, "five=="),
        ];
        assert_eq!(told(&[("AWS_PROFILE", "team")]), pairs(&team));
        let set = [("AWS_PROFILE", "team"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_DEFAULT_REGION", "y")];
        assert_eq!(told(&set), pairs(&team[1..2]), "the environment goes first");
        let set = [("AWS_PROFILE", "team"), ("AWS_ENDPOINT_URL", "https://x.invalid")];
        assert_eq!(told(&set).map(|found| found.len()), Ok(4));
        let web = [(Key::WebIdentityTokenFile, "/token"), (Key::RoleArn, "arn:aws:iam::1:role/r")];
        assert_eq!(told(&[("AWS_PROFILE", "web")]), pairs(&web));
        assert_eq!(told(&[("HOME", "/nowhere")]), Ok(Vec::new()));
    }

    #[test]
    fn nothing_is_run_and_nothing_is_guessed() {
        for (name, what) in [
            ("runs", "credential_process"),
            ("logs-in", "sso_session"),
            ("other", "source_profile"),
            ("far", "services"),
            ("half", "one half"),
            ("absent", "AWS_PROFILE"),
        ] {
            let error = told(&[("AWS_PROFILE", name)]).expect_err(name);
            assert!(error.contains(what), "{error}");
        }
        assert!(!Path::new("/tmp/never").exists());
    }
}

use std::collections::BTreeSet;

use super::keys::{KEYS, variable_name};
use super::*;

const AGENT_TOML: &str = include_str!("../../../../config/agent.toml");

/// Loads `text` as the file agent.toml, with variables and the flag `--url`.
fn load(text: &str, variables: &[(&str, &str)], url: Option<&str>) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let flags = url.map(|value| Flag { flag: "--url", section: "hub", key: "url", value: value.to_owned() });
    let sources = Sources {
        file: Some(path),
        variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        flags: flags.into_iter().collect(),
    };
    Config::load(&sources).map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

#[test]
fn a_bad_setting_is_one_line_with_place_key_value_and_expectation() {
    const EVERY: &str = "expected a duration of at least \"100ms\", such as \"1s\"";
    let rows: &[(&str, &str)] = &[
        ("\n[hub]\nurll = \"x\"", "agent.toml:3: [hub] urll = \"x\": unknown key; the nearest known one is url"),
        ("[spol]\ndir = \"x\"", "agent.toml:1: [spol]: unknown section; the nearest known one is [spool]"),
        ("url = \"ws://x\"", "agent.toml:1: url = \"ws://x\": unknown key outside any section; the nearest known one is [hub] url"),
        ("[hub]\nurl = \"mqtt://x\"", "agent.toml:2: [hub] url = \"mqtt://x\": expected ws://HOST:PORT or wss://HOST:PORT, as text"),
        ("[host]\nevery = \"10ms\"", &format!("agent.toml:2: [host] every = \"10ms\": {EVERY}")),
        ("[host]\nevery = 1", &format!("agent.toml:2: [host] every = 1: {EVERY}")),
        ("[simulate]\ndevices = 0", "agent.toml:2: [simulate] devices = 0: expected a whole number from 1 to 100000"),
        ("[simulate]\ndevices = -3", "agent.toml:2: [simulate] devices = -3: expected a whole number from 1 to 100000"),
        (
            "[agent]\ninputs = [\"hosts\"]",
            "agent.toml:2: [agent] inputs = [\"hosts\"]: expected a list of \"host\", \"stdin\" and \"simulate\"",
        ),
        ("[agent]\ninputs = []", "agent.toml:2: [agent] inputs = []: expected a list of \"host\", \"stdin\" and \"simulate\""),
        (
            "[agent]\nattributes = [\"site\"]",
            "agent.toml:2: [agent] attributes = [\"site\"]: expected a list of \"NAME=VALUE\", at most 32, such as [\"site=roof\"]",
        ),
        (
            "[spool]\nbytes = \"1KiB\"",
            "agent.toml:2: [spool] bytes = \"1KiB\": expected a size with its unit of at least \"1MiB\", such as \"256MiB\"",
        ),
        ("[spool]\nwhen_full = \"panic\"", "agent.toml:2: [spool] when_full = \"panic\": expected \"drop-oldest\" or \"refuse-new\""),
        (
            "[logging]\nlevel = \"loud\"",
            "agent.toml:2: [logging] level = \"loud\": expected \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
    ];
    for (text, message) in rows {
        let error = load(text, &[], None).expect_err(text);
        assert_eq!(&error, message, "{text}");
        assert!(!error.contains('\n'));
    }
    let error = load("[hub\nurl = 3", &[], None).unwrap_err();
    assert!(error.starts_with("agent.toml:1: not TOML: "), "{error}");
    assert!(Config::load(&Sources { file: Some("no/agent.toml".into()), ..Sources::default() }).is_err());
}

#[test]
fn variables_and_flags() {
    let error = load("", &[("TELLTALE_AGENT__HUB__URLL", "x")], None).unwrap_err();
    assert_eq!(error, "TELLTALE_AGENT__HUB__URLL: the environment: unknown setting; the nearest known one is TELLTALE_AGENT__HUB__URL");
    let error = load("", &[("TELLTALE_AGENT__SIMULATE__DEVICES", "many")], None).unwrap_err();
    assert_eq!(error, "TELLTALE_AGENT__SIMULATE__DEVICES: [simulate] devices = \"many\": expected a whole number from 1 to 100000");
    let error = load("", &[], Some("hub")).unwrap_err();
    assert_eq!(error, "--url: [hub] url = \"hub\": expected ws://HOST:PORT or wss://HOST:PORT, as text");
    load("", &[("TELLTALE_LOG__KEEP_FOR", "1h"), ("TELLTALE_HOME", "x"), ("PATH", "/bin")], None).expect("others' variables");
}

#[test]
fn each_source_wins_over_the_one_before() {
    let file = "[hub]\nurl = \"ws://file\"\n[spool]\nbytes = \"2MiB\"\nwhen_full = \"refuse-new\"";
    let variables = [("TELLTALE_AGENT__HUB__URL", "ws://variable"), ("TELLTALE_AGENT__AGENT__INPUTS", "host, simulate")];
    let url = |variables: &[(&str, &str)], flag| load(file, variables, flag).unwrap().hub.url;
    assert_eq!(url(&[], None), "ws://file");
    assert_eq!(url(&variables, None), "ws://variable");
    assert_eq!(url(&variables, Some("ws://flag")), "ws://flag");
    let config = load(file, &variables, None).unwrap();
    assert_eq!((config.spool.bytes, config.spool.when_full), (2 << 20, WhenFull::RefuseNew));
    assert_eq!(config.agent.inputs, [InputKind::Host, InputKind::Simulate]);
}

/// Every key stands in config/agent.toml, commented, with its default and a sentence before it.
#[test]
fn the_file_that_ships_is_the_table_of_keys_with_their_defaults() {
    assert_eq!(load(AGENT_TOML, &[], None).unwrap(), Config::default(), "all values are commented out");
    let uncommented: String = AGENT_TOML.lines().map(|line| uncomment(line).unwrap_or(line).to_owned() + "\n").collect();
    assert_eq!(load(&uncommented, &[], None).unwrap(), Config::default(), "the commented values are the defaults");
    let mut section = "";
    let mut found = BTreeSet::new();
    let mut said = false;
    for line in AGENT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, _)) = uncomment(line).and_then(|line| line.split_once(" = ")) {
            assert!(said, "[{section}] {name} has no sentence before it");
            assert!(found.insert(format!("{section}.{name}")), "[{section}] {name} stands twice");
        }
        said = (said && !line.is_empty()) || line.starts_with("# ");
    }
    let expected: BTreeSet<String> = KEYS.iter().map(|key| format!("{}.{}", key.section, key.name)).collect();
    assert_eq!(found, expected);
}

/// `#key = value` without its `#`; a sentence begins with `# `.
fn uncomment(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && rest.contains(" = "))
}

#[test]
fn names_of_variables() {
    assert!(KEYS.iter().any(|key| variable_name(key) == "TELLTALE_AGENT__SPOOL__SYNC_EVERY"));
}

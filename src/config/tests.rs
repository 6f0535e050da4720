use std::fmt::Write as _;

use super::keys::{self, KEYS};
use super::*;
use crate::model::Kind;

const HUB_TOML: &str = include_str!("../../config/hub.toml");

/// Loads `text` as the file hub.toml, with variables and the flag `--listen`.
fn load(text: &str, variables: &[(&str, &str)], listen: Option<&str>) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.toml");
    std::fs::write(&path, text).unwrap();
    let flags = listen.map(|value| Flag { flag: "--listen", section: "listen", key: "address", value: value.to_owned() });
    let sources = Sources {
        file: Some(path),
        variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        flags: flags.into_iter().collect(),
    };
    Config::load(&sources).map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

#[track_caller]
fn refused(text: &str, variables: &[(&str, &str)], message: &str) {
    let error = load(text, variables, None).expect_err("refused");
    assert_eq!(error, message, "{text}");
    assert!(!error.contains('\n'));
}

#[test]
fn a_bad_setting_is_one_line_with_place_key_value_and_expectation() {
    const DURATION: &str = "a duration with its unit, such as \"500ms\", \"90s\", \"10m\", \"2h\" or \"30d\"";
    let rows: &[(&str, &str)] = &[
        ("\n[log]\nkeep_fro = \"3h\"", "hub.toml:3: [log] keep_fro = \"3h\": unknown key; the nearest known one is keep_for"),
        ("[logs]\nkeep_for = \"3h\"", "hub.toml:1: [logs]: unknown section; the nearest known one is [log]"),
        ("keep_for = \"3h\"", "hub.toml:1: keep_for = \"3h\": unknown key outside any section; the nearest known one is [log] keep_for"),
        ("log = 3", "hub.toml:1: log = 3: expected a table: [log]"),
        ("[log]\nkeep_for = \"3 moons\"", &format!("hub.toml:2: [log] keep_for = \"3 moons\": expected {DURATION}")),
        ("[log]\nkeep_for = 90", &format!("hub.toml:2: [log] keep_for = 90: expected {DURATION}")),
        ("[log]\nkeep_for = \"-1h\"", &format!("hub.toml:2: [log] keep_for = \"-1h\": expected {DURATION}")),
        (
            "[log]\nkeep_for = \"99999999999999999999d\"",
            &format!("hub.toml:2: [log] keep_for = \"99999999999999999999d\": expected {DURATION}"),
        ),
        (
            "[log]\nkeep_bytes = \"256 Mb\"",
            "hub.toml:2: [log] keep_bytes = \"256 Mb\": expected a size with its unit, such as \"256MiB\", or 0 for none",
        ),
        (
            "[log]\ncommit_delay_ms = \"5\"",
            "hub.toml:2: [log] commit_delay_ms = \"5\": expected a whole number of milliseconds from 0 to 10000",
        ),
        (
            "[log]\ncommit_delay_ms = 1.5",
            "hub.toml:2: [log] commit_delay_ms = 1.5: expected a whole number of milliseconds from 0 to 10000",
        ),
        ("[ingest]\nbatch_readings = 0", "hub.toml:2: [ingest] batch_readings = 0: expected a whole number from 1 to 200000"),
        ("[ingest]\nframe_bytes = \"1GiB\"", "hub.toml:2: [ingest] frame_bytes = \"1GiB\": expected a size from \"1KiB\" to \"64MiB\""),
        (
            "[listen]\naddress = \"localhost\"",
            "hub.toml:2: [listen] address = \"localhost\": expected an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
        ),
        (
            "[listen]\nplaintext = \"yes\"",
            "hub.toml:2: [listen] plaintext = \"yes\": expected \"i-understand\", or \"\" for never beyond loopback",
        ),
        ("[store]\nkind = \"influxdb\"", "hub.toml:2: [store] kind = \"influxdb\" needs [store.influxdb] token or token_file"),
        ("[store]\nkind = \"influx\"", "hub.toml:2: [store] kind = \"influx\": expected \"embedded\" or \"influxdb\""),
        (
            "[store]\nkind = \"influxdb\"\nmax_bytes = \"1GiB\"",
            "hub.toml:2: [store] max_bytes is for the embedded store: the retention of the bucket says what InfluxDB keeps",
        ),
        (
            "[store]\nkind = \"influxdb\"\n[store.influxdb]\ntoken = \"t\\nu\"",
            "hub.toml:2: [store.influxdb] token: character 2 is a control character or beyond ASCII",
        ),
        (
            "[store]\nkind = \"influxdb\"\n[store.influxdb]\ntoken = \"t\"\nca_file = \"/nowhere\"",
            "hub.toml:2: [store.influxdb] ca_file = \"/nowhere\" cannot be read: No such file or directory (os error 2)",
        ),
        (
            "[store]\nkind = \"influxdb\"\n[store.influxdb]\ntoken = \"t\"\nurl = \"http://a\"\norg = \"o\"",
            "hub.toml:2: [store] kind = \"influxdb\" needs [store.influxdb] bucket",
        ),
        (
            "[store.influxdb]\nurl = \"http://a/influx\"",
            "hub.toml:2: [store.influxdb] url = \"http://a/influx\": expected the address of an InfluxDB 2 server, such as \
             \"http://127.0.0.1:8086\", without a path",
        ),
        ("[store.influxdb]\nbuckt = \"b\"", "hub.toml:2: [store.influxdb] buckt = \"b\": unknown key; the nearest known one is bucket"),
        (
            "[http]\npublic_urls = [\"hub.example\"]",
            "hub.toml:2: [http] public_urls = [\"hub.example\"]: expected a list of addresses such as [\"https://hub.example\"]: scheme http or https, host, perhaps a port, no path",
        ),
        (
            "[logging]\nlevel = \"loud\"",
            "hub.toml:2: [logging] level = \"loud\": expected one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        ),
        (
            "[logging]\nlevel = [\n  \"info\",\n  2\n]",
            "hub.toml:2: [logging] level = [ \"info\", 2 ]: expected one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        ),
        ("[data]\ndir = \"\"", "hub.toml:2: [data] dir = \"\": expected the path of a directory, as text"),
        ("[log\nkeep_for = \"3h\"", "hub.toml:1: not TOML: unclosed table, expected `]`"),
        ("[listen]\ntls_cert = \"c.pem\"", "hub.toml:2: [listen] tls_cert is set and tls_key is not: expected both or neither"),
        ("[listen]\ntls_key = \"k.pem\"", "hub.toml:2: [listen] tls_key is set and tls_cert is not: expected both or neither"),
        (
            "[listen]\naddress = \"0.0.0.0:80\"",
            "hub.toml:2: [listen] address = \"0.0.0.0:80\": an address beyond loopback needs TLS (tls_cert and tls_key), or plaintext = \"i-understand\" to send tokens and readings unencrypted",
        ),
        (
            "[[metric]]\nmatch = \"a\"\nkind = \"meter\"",
            "hub.toml:3: [[metric]] kind = \"meter\": expected one of \"gauge\", \"counter\", \"state\", \"text\"",
        ),
        ("[[metric]]\nmatch = \"a\"", "hub.toml:1: [[metric]]: kind or unit is missing"),
        ("[[metric]]\nkind = \"gauge\"", "hub.toml:1: [[metric]]: match is missing"),
        ("[[metric]]\nmatch = \"a\"\nunits = \"B\"", "hub.toml:3: [[metric]] units = \"B\": unknown key; the nearest known one is unit"),
        ("[metric]\nmatch = \"a\"", "hub.toml:1: metric = [metric]: expected an array of tables: [[metric]]"),
        ("[[device]]\nexpect = \"10ms\"", "hub.toml:2: [[device]] expect = \"10ms\": expected a duration from \"1s\" on, such as \"10m\""),
        ("[[ingest.mapping]]\nmeasurement = \"mqtt_*\"", "hub.toml:1: [[ingest.mapping]]: device_tag is missing"),
        ("[[devices]]\nexpect = \"10m\"", "hub.toml:1: [devices]: unknown section; the nearest known one is [device]"),
    ];
    for (text, message) in rows {
        refused(text, &[], message);
    }
}

#[test]
fn a_bad_variable_names_itself() {
    refused(
        "",
        &[("TELLTALE_LOG__KEEP_FOR", "long")],
        &format!("TELLTALE_LOG__KEEP_FOR: [log] keep_for = \"long\": expected {}", keys::find("log", "keep_for").unwrap().expected),
    );
    refused(
        "",
        &[("TELLTALE_LOG__KEEP_FRO", "1h")],
        "TELLTALE_LOG__KEEP_FRO: the environment: unknown setting; the nearest known one is TELLTALE_LOG__KEEP_FOR",
    );
    refused(
        "",
        &[("TELLTALE__KEEP_FOR", "1h")],
        "TELLTALE__KEEP_FOR: the environment: unknown setting; the nearest known one is TELLTALE_LOG__KEEP_FOR",
    );
    refused(
        "",
        &[("TELLTALE_LISTEN__ADDRESS", "0.0.0.0:80")],
        "TELLTALE_LISTEN__ADDRESS: [listen] address = \"0.0.0.0:80\": an address beyond loopback needs TLS (tls_cert and tls_key), or plaintext = \"i-understand\" to send tokens and readings unencrypted",
    );
}

#[test]
fn variables_that_are_not_the_hubs_are_passed_over() {
    let variables =
        [("TELLTALE_AGENT__HUB", "x"), ("TELLTALE_HOME", "x"), ("TELLTALES__X", "x"), ("PATH", "x"), ("MY_TELLTALE_LOG__X", "x")];
    assert_eq!(load("", &variables, None).unwrap(), Config::default());
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(&Sources { file: Some(PathBuf::from("no/such.toml")), ..Sources::default() }).unwrap_err().to_string();
    assert!(error.starts_with("no/such.toml: cannot be read: "), "{error}");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "[listen]\naddress = \"127.0.0.1:1\"";
    let variable = [("TELLTALE_LISTEN__ADDRESS", "127.0.0.1:2")];
    let port = |variables: &[_], flag| load(file, variables, flag).unwrap().listen.address.port();
    assert_eq!([port(&[], None), port(&variable, None), port(&variable, Some("127.0.0.1:3"))], [1, 2, 3]);
}

#[test]
fn beyond_loopback_needs_tls_or_the_words() {
    let address = "[listen]\naddress = \"192.0.2.1:443\"\n";
    assert!(load(&format!("{address}plaintext = \"i-understand\""), &[], None).unwrap().listen.plaintext);
    assert!(load(&format!("{address}tls_cert = \"c\"\ntls_key = \"k\""), &[], None).unwrap().listen.tls.is_some());
}

/// A value for each key that is not its default, as the file and as a variable would write it.
const CHANGED: &[(&str, &str, &str, &str)] = &[
    ("listen", "address", "\"[::1]:9000\"", "[::1]:9000"),
    ("listen", "tls_cert", "\"c.pem\"", "c.pem"),
    ("listen", "tls_key", "\"k.pem\"", "k.pem"),
    ("listen", "plaintext", "\"i-understand\"", "i-understand"),
    ("data", "dir", "\"/srv/telltale\"", "/srv/telltale"),
    ("log", "commit_delay_ms", "20", "20"),
    ("log", "keep_for", "\"90s\"", "90s"),
    ("log", "keep_bytes", "0", "0"),
    ("log", "segment_bytes", "\"8MiB\"", "8MiB"),
    ("log", "unsealed_bytes", "\"8MiB\"", "8MiB"),
    ("log", "backlog_bytes", "\"1GiB\"", "1GiB"),
    ("log", "poisoned_exit_after", "0", "0"),
    ("ingest", "frame_bytes", "65536", "65536"),
    ("ingest", "batch_readings", "10", "10"),
    ("limits", "series_per_token", "10", "10"),
    ("limits", "series_per_hub", "10", "10"),
    ("limits", "name_bytes", "0x40", "64"),
    ("limits", "labels", "0", "0"),
    ("limits", "label_value_bytes", "64", "64"),
    ("limits", "text_bytes", "\"1kB\"", "1kB"),
    ("limits", "history_points", "1_000_000", "1000000"),
    ("store", "head_bytes", "\"64MiB\"", "64MiB"),
    ("store", "max_bytes", "\"2GiB\"", "2GiB"),
    ("store", "cache_bytes", "0", "0"),
    ("store", "reserve_bytes", "0", "0"),
    ("http", "public_urls", "[\"https://a.example\", \"http://b.example:81/\"]", "https://a.example,http://b.example:81"),
    ("logging", "format", "\"json\"", "json"),
    ("logging", "level", "\"debug\"", "debug"),
];

#[test]
fn every_key_takes_effect_from_file_and_variable_alike() {
    for key in KEYS.iter().filter(|key| (key.section, key.name) != ("store", "kind") && key.section != "store.influxdb") {
        let (section, name, file, variable) = CHANGED.iter().find(|row| (row.0, row.1) == (key.section, key.name)).expect(key.name);
        let pem = |other: &str| if name.starts_with("tls_") && name != &other { format!("{other} = \"x\"\n") } else { String::new() };
        let base = format!("[{section}]\n{}{}", pem("tls_cert"), pem("tls_key"));
        let from_file = load(&format!("{base}{name} = {file}"), &[], None).unwrap();
        let from_variable = load(&base, &[(&keys::variable_name(key), variable)], None).unwrap();
        assert_ne!(from_file, Config::default(), "{name}");
        assert_eq!(from_file, from_variable, "{name}");
    }
}

#[cfg(feature = "influxdb")]
#[test]
fn both_kinds_of_store_are_loaded_whichever_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hub.toml");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Config::load_both(&Sources { file: Some(file.clone()), ..Sources::default() }).map_err(|error| error.to_string())
    };
    let influx = "[store.influxdb]\nurl = \"http://a\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\n";
    for kind in ["", "[store]\nkind = \"embedded\"\nmax_bytes = \"1GiB\"\n", "[store]\nkind = \"influxdb\"\n"] {
        let both = load(&format!("{kind}[log]\nkeep_for = \"3h\"\n{influx}")).unwrap();
        let [embedded, influx] = [StoreKind::Embedded, StoreKind::Influx].map(|kind| both.of(kind).clone());
        assert_eq!((embedded.store.kind, &embedded.influx), (StoreKind::Embedded, &None), "{kind}");
        assert_eq!(embedded.store.max_bytes > 0, kind.contains("max_bytes"));
        assert_eq!((influx.store.kind, influx.store.max_bytes, influx.log.keep_for), (StoreKind::Influx, 0, embedded.log.keep_for));
        assert_eq!(influx.influx.unwrap().bucket, "b");
    }
    assert_eq!(load("[store]\n").unwrap_err(), "migrate: [store] kind = \"influxdb\" needs [store.influxdb] token or token_file");
}

#[test]
fn influxdb_is_named_in_file_and_variables() {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "secret\n").unwrap();
    let path = token.path();
    let file = format!(
        "[store]\nkind = \"influxdb\"\n[store.influxdb]\nurl = \"https://influx.example:8086\"\norg = \"o\"\ntoken_file = {path:?}\nca_file = {path:?}\n\
         [log]\nbacklog_bytes = \"1GiB\""
    );
    let config = load(&file, &[("TELLTALE_STORE__INFLUXDB__BUCKET", "b"), ("TELLTALE_STORE__INFLUXDB__TIMEOUT", "5s")], None).unwrap();
    let influx = config.influx.unwrap();
    let Influx { url, org, bucket, token, ca, timeout, backlog_bytes } = &influx;
    assert_eq!(ca.as_deref(), Some(&b"secret\n"[..]), "read, not yet understood");
    assert_eq!((url.as_str(), &**org, &**bucket, &**token), ("https://influx.example:8086/", "o", "b", "secret"));
    assert_eq!((*timeout, *backlog_bytes), (Duration::from_secs(5), 1 << 30));
    assert!(!format!("{influx:?}").contains("secret"));
}

/// `config/hub.toml` with every `#key = value` made a setting and the examples left out.
fn uncommented() -> String {
    HUB_TOML.lines().fold(String::new(), |mut text, line| {
        let setting = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        writeln!(text, "{}", setting.unwrap_or(if line.starts_with('[') { line } else { "" })).unwrap();
        text
    })
}

#[test]
fn hub_toml_shows_every_key_with_its_default() {
    let text = uncommented();
    assert_eq!(load(&text, &[], None), Ok(Config::default()));
    let document: toml::Table = text.parse().unwrap();
    for key in KEYS {
        let section = key.section.split('.').try_fold(&document, |table, part| table.get(part)?.as_table());
        let shown = section.and_then(|section| section.get(key.name));
        assert!(shown.is_some(), "config/hub.toml does not show [{}] {}", key.section, key.name);
    }
    // A section within a section is an entry of it.
    let mut sections: Vec<_> = keys::sections().collect();
    sections.sort_unstable();
    assert!(sections.is_sorted_by(|a, b| a < b), "each section once, in one piece: {sections:?}");
    let within: Vec<_> = keys::sections().filter(|section| section.contains('.')).collect();
    let entries = |path: &str| path.split('.').try_fold(&document, |table, part| table.get(part)?.as_table()).unwrap().len();
    let shown = document.keys().map(String::as_str).chain(within.iter().copied()).map(entries).sum::<usize>() - within.len();
    assert_eq!(shown, KEYS.len());
    assert_eq!(load(HUB_TOML, &[], None), Ok(Config::default()), "as it ships it changes nothing");
}

#[test]
fn the_examples_in_hub_toml_hold() {
    let examples: String = HUB_TOML.lines().filter_map(|line| line.strip_prefix("#   ")).map(|line| format!("{line}\n")).collect();
    let config = load(&examples, &[], None).unwrap();
    assert_eq!(config.metrics.of("pump.energy_total"), (Some(Kind::Counter), Some("kWh".into())));
    let device = &config.devices[0];
    assert_eq!((device.devices.matches("meter-7"), device.devices.matches("pump")), (true, false));
    assert_eq!(device.expect, Duration::from_secs(600));
    let retention = &config.retention[0];
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert_eq!((retention.keep, retention.keep_rollups, retention.priority), (days(30), days(730), 10));
    let mapping = &config.ingest.mappings[0];
    assert!(mapping.measurement.matches("mqtt_consumer"));
    assert_eq!((&*mapping.device_tag, mapping.gateway_tag.as_deref()), ("device", Some("host")));
}

#[test]
fn the_users_metrics_come_before_the_ones_that_ship() {
    let shipped = Config::default().metrics;
    assert_eq!(shipped.of("net.bytes_recv"), (Some(Kind::Counter), Some("B".into())));
    assert_eq!(shipped.of("mem.used_percent"), (Some(Kind::Gauge), Some("%".into())));
    assert_eq!(shipped.of("pump.rpm"), (None, None));
    let users =
        load("[[metric]]\nmatch = \"net.bytes_*\"\nunit = \"octets\"\n[[metric]]\nmatch = \"*\"\nunit = \"x\"", &[], None).unwrap().metrics;
    assert_eq!(users.of("net.bytes_recv"), (Some(Kind::Counter), Some("octets".into())), "unit by the user, kind as shipped");
}

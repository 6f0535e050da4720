//! `telltale export` and `telltale import` as their users run them: with a running hub and without, cut off and begun again.

use std::path::Path;
use std::process::Command;

use crate::hub::Hub;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;
const READINGS: usize = 120_000;

fn telltale(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    let output = command.args(arguments).arg("--data-dir").arg(dir.join("data")).env_clear().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

/// Some megabytes of every type, sorted as an export is.
fn csv() -> String {
    let mut text = "device,metric,labels,time,value,type,unit,kind\n".to_owned();
    for (metric, value_type) in [("f", "number"), ("i", "number"), ("t", "text")] {
        for n in 0..READINGS / 3 {
            let value = match metric {
                "f" => format!("{}.5", n % 100),
                "i" => (i64::MAX - n as i64).to_string(),
                _ => format!("\"line {n}\nand \"\"another\"\"\""),
            };
            let (unit, kind) = if metric == "i" { ("B", "counter") } else { ("", "") };
            text += &format!(
                "d,{metric},\"{{\"\"k\"\":\"\"v w\"\"}}\",{},{value},{value_type},{unit},{kind}\n",
                START + n as i64 * 1_000_000_007
            );
        }
    }
    text
}

/// The most memory the hub takes for a Parquet file of several row groups is that of one, not that of all.
#[cfg(feature = "parquet")]
#[test]
fn an_export_takes_as_much_memory_however_long_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let rows = 240_000;
    for part in 0..8 {
        let mut text = "device,metric,time,value\n".to_owned();
        for n in part * rows / 8..(part + 1) * rows / 8 {
            text += &format!("d{},m,{},{n:a>500}\n", n % 8, START + n / 8 * 1_000_000_007);
        }
        let request = ureq::post(format!("http://{}/api/v1/import?format=csv", hub.address));
        request.header("Authorization", format!("Bearer {}", hub.admin)).send(text).unwrap();
    }
    let status = |key: &str| {
        let text = std::fs::read_to_string(format!("/proc/{}/status", hub.pid().as_raw_nonzero())).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    };
    let grown = || {
        let file = dir.path().join("out.parquet").to_str().unwrap().to_owned();
        // The peak is counted anew.
        std::fs::write(format!("/proc/{}/clear_refs", hub.pid().as_raw_nonzero()), "5").unwrap();
        let before = status("VmRSS:");
        let (code, said) = telltale(dir.path(), &["export", "--select", "*/*", "-o", &file]);
        assert_eq!((code, said), (0, format!("{rows} readings in {file}\n")));
        status("VmHWM:").saturating_sub(before)
    };
    // The first fills caches, and a seal or a merge may be under way beside one.
    let least = (0..3).map(|_| grown()).min().unwrap();
    assert!(least < 64, "{least} MiB more for texts of {} MiB", (rows * 500) >> 20);
    assert_eq!(hub.stop(), Some(0));
}

#[test]
fn a_selection_goes_through_files_and_comes_back_equal() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, three] = ["one", "two", "three"].map(|name| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        dir
    });
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let given = csv();
    std::fs::write(file("given.csv"), &given).unwrap();
    let hub = Hub::start(&one);
    let all = format!("{READINGS} stored, 0 there already, 0 refused\n");
    assert_eq!(telltale(&one, &["import", &file("given.csv")]), (0, all.clone()));
    let again = format!("0 stored, {READINGS} there already, 0 refused\n");
    assert_eq!(telltale(&one, &["import", &file("given.csv")]), (0, again));
    let export = |dir: &Path, to: &str| {
        let (code, said) = telltale(dir, &["export", "--select", "*/*", "-o", &file(to)]);
        assert_eq!((code, said), (0, format!("{READINGS} readings in {}\n", file(to))));
        std::fs::read_to_string(file(to)).unwrap()
    };
    assert!(export(&one, "running.csv") == given, "from the running hub");
    export(&one, "all.lp");
    export(&one, "all.ndjson");
    assert_eq!(telltale(&one, &["export", "--select", "d/i", "--to", "2026-01-01T00:00:01Z"]).1.lines().count(), 2, "to stdout");
    assert_eq!(hub.stop(), Some(0));
    assert!(export(&one, "stopped.csv") == given, "without a hub");

    // Without a hub, and cut off: the note says how far it was, and the rest follows.
    assert_eq!(Hub::start(&two).stop(), Some(0));
    assert_eq!(telltale(&two, &["import", &file("all.ndjson")]), (0, all));
    assert!(export(&two, "two.csv") == given);
    let hub = Hub::start(&three);
    let lines = std::fs::read(file("all.lp")).unwrap();
    let half = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(READINGS / 2 - 1).unwrap().0 + 1;
    let note = serde_json::json!({
        "data_dir": three.join("data"), "file_bytes": lines.len(), "format": "lp", "bytes": half, "lines": READINGS / 2,
        "stored": READINGS / 2, "duplicate": 0, "refused": 0,
    });
    std::fs::write(file("all.lp.imported"), note.to_string()).unwrap();
    telltale(&three, &["import", &file("all.lp")]);
    assert_eq!(hub.history("*/*").len(), READINGS / 2, "what the note has as taken is not sent again");
    assert!(!Path::new(&file("all.lp.imported")).exists(), "all is taken");
    let (code, said) = telltale(&three, &["import", &file("all.lp")]);
    assert_eq!((code, said), (0, format!("{} stored, {} there already, 0 refused\n", READINGS / 2, READINGS / 2)));
    let untold = given.replace(",B,counter\n", ",,\n");
    assert!(export(&three, "three.csv") == untold, "line protocol carries no unit and no kind");

    #[cfg(feature = "parquet")]
    {
        let four = dir.path().join("four");
        std::fs::create_dir_all(four.join("data")).unwrap();
        let left = four.join("data/.import-0123456789abcdef");
        std::fs::write(&left, "").unwrap();
        let into = Hub::start(&four);
        assert!(!left.exists(), "what a hub left that was killed while it began to spool");
        let columns = |dir: &Path, to: &str| {
            let (code, said) = telltale(dir, &["export", "--select", "*/*", "-o", &file(to)]);
            assert_eq!((code, said), (0, format!("{READINGS} readings in {}\n", file(to))));
            std::fs::read(file(to)).unwrap()
        };
        let stopped = columns(&one, "stopped.parquet");
        assert!(stopped.len() < given.len() / 3, "{} bytes of {}", stopped.len(), given.len());
        let note = serde_json::json!({
            "data_dir": four.join("data"), "file_bytes": stopped.len(), "format": "parquet", "bytes": stopped.len() / 2, "lines": READINGS / 2,
            "stored": READINGS / 2, "duplicate": 0, "refused": 0,
        });
        std::fs::write(file("stopped.parquet.imported"), note.to_string()).unwrap();
        telltale(&four, &["import", &file("stopped.parquet")]);
        assert_eq!(into.history("*/*").len(), READINGS / 2, "rows that are taken are not sent again");
        let (code, said) = telltale(&four, &["import", &file("stopped.parquet")]);
        assert_eq!((code, said), (0, format!("{} stored, {} there already, 0 refused\n", READINGS / 2, READINGS / 2)));
        assert!(export(&four, "four.csv") == given, "through columns");
        assert!(columns(&four, "running.parquet") == stopped, "from the running hub");
        std::fs::write(file("bad.parquet"), "PAR1 no more").unwrap();
        let (code, said) = telltale(&four, &["import", &file("bad.parquet")]);
        assert!(code == 1 && said.contains("bad.parquet: the file is no Parquet that can be read"), "{code} {said}");
    }
    std::fs::write(file("bad.ndjson"), "{\"device\":\"d\"}\n").unwrap();
    let (code, said) = telltale(&three, &["import", &file("bad.ndjson")]);
    assert!(code == 1 && said.contains("line 1: /: bad_value") && said.contains("0 stored, 0 there already, 1 refused"), "{code} {said}");
    let (code, said) = telltale(&three, &["import", &file("given")]);
    assert!(code == 64 && said.contains("--format"), "{code} {said}");
    let (code, said) = telltale(&three, &["export", "--select", "*/*", "--format", "xml"]);
    assert!(code == 64 && said.contains("expected csv, ndjson"), "{code} {said}");
    let (code, said) = telltale(&three, &["export", "--select", "nonsense", "-o", &file("none.csv")]);
    assert!(code == 1 && said.contains("nonsense") && !Path::new(&file("none.csv")).exists(), "{code} {said}");
}

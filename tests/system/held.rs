//! A catalog that another program holds, or a slow disk under one who changes it: the hub goes on, and seals when it may.

use rusqlite::Connection;

use super::hub::Hub;
use super::tools::run;

fn write(hub: &Hub, value: u32) -> u16 {
    let url = format!("http://{}/api/v2/write", hub.address);
    let request = ureq::post(url).header("Authorization", format!("Bearer {}", hub.admin));
    request.send(format!("m,device_id=d v={value}")).unwrap().status().as_u16()
}

#[test]
fn a_catalog_that_is_held_puts_a_seal_off_and_the_hub_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    assert_eq!(write(&hub, 1), 204);
    let held = Connection::open(dir.path().join("data/catalog.sqlite")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let backup = dir.path().join("backup");
    let backup = || run(dir.path(), &["backup", backup.to_str().unwrap()]);
    let (code, _, stderr) = backup();
    assert!(code == 1 && stderr.contains("somebody else has been changing it"), "{code}: {stderr}");
    assert_eq!((write(&hub, 2), hub.ask("/readyz").0), (204, 200), "nothing of what is acked is at risk");
    held.execute_batch("ROLLBACK").unwrap();
    let (code, stdout, stderr) = backup();
    assert!(code == 0 && stdout.starts_with("2 readings of 1 series"), "{code}: {stdout}{stderr}");
    assert_eq!(hub.stop(), Some(0));
}

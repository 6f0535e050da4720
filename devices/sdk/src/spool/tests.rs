//! Every case opens a spool in a directory of its own, does something to it, and checks what a later opening finds.

use std::env;
use std::process::Command;

use super::*;
use crate::reading::Reading;

const MIB: u64 = 1 << 20;

fn open(dir: &Path) -> (Spool, Vec<Found>) {
    Spool::open(dir, MIB, WhenFull::DropOldest, 77).unwrap()
}

fn batch(number: i64) -> Batch {
    let readings = (0..3).map(|n| Reading::new("dev", format!("m{n}"), number).at(number * 10 + n)).collect();
    Batch::from_readings(readings, 0)
}

fn big(number: i64, bytes: usize) -> Batch {
    Batch::from_readings(vec![Reading::new("dev", "text", "x".repeat(bytes)).at(number)], 0)
}

/// What a killed process leaves: the files, without the clean end that `drop` makes.
fn kill(spool: Spool) {
    let Spool { _lock: lock, .. } = &spool;
    lock.unlock().unwrap();
    std::mem::forget(spool);
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    files::list_segments(dir).unwrap().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn what_was_appended_is_found_again_after_a_kill_and_after_a_clean_end() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, found) = open(dir.path());
    assert_eq!(found, []);
    for number in 1..=5 {
        assert_eq!(spool.append(&batch(number)).unwrap(), number.unsigned_abs());
    }
    kill(spool);
    let (mut spool, found) = open(dir.path());
    assert_eq!(found.iter().map(|found| found.batch).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(found.iter().all(|found| found.seq.is_none() && found.rows == 3));
    assert_eq!(spool.append(&batch(6)).unwrap(), 6);
    drop(spool);
    let (spool, found) = open(dir.path());
    assert_eq!(found.len(), 6);
    for found in found {
        assert_eq!(spool.read(found.batch).unwrap().unwrap(), batch(found.batch.cast_signed()));
    }
    assert_eq!(spool.boot(), 77);
}

#[test]
fn the_boot_id_stays_and_no_sequence_number_comes_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..6_u64 {
        let (mut spool, _) = Spool::open(dir.path(), MIB, WhenFull::DropOldest, 100 + round).unwrap();
        assert_eq!(spool.boot(), 100, "the first life's");
        let batch = spool.append(&batch(1)).unwrap();
        assert!(spool.next_seq() > last, "round {round}: {} after {last}", spool.next_seq());
        for _ in 0..SEQ_RESERVE / 2 + 3 {
            last = spool.next_seq();
            spool.mark_sent(batch, last).unwrap();
            // What a power cut leaves: the marks are lost, `meta` is not.
            assert!(files::read_meta(dir.path()).unwrap().unwrap().seq_reserved > last);
        }
        spool.mark_done(batch).unwrap();
        if round % 2 == 0 { kill(spool) } else { drop(spool) }
    }
    let (spool, _) = open(dir.path());
    assert_eq!(spool.next_seq(), last + 1, "a clean end skips none");
}

#[test]
fn marks_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    let seqs: Vec<u64> = (1..=5_i64)
        .map(|number| {
            let batch = spool.append(&batch(number)).unwrap();
            let seq = spool.next_seq();
            if batch < 5 {
                spool.mark_sent(batch, seq).unwrap();
            }
            seq
        })
        .collect();
    spool.mark_acked(seqs[1], &[1, 2]).unwrap();
    spool.mark_done(3).unwrap();
    kill(spool);
    let (_spool, found) = open(dir.path());
    assert_eq!(found, [Found { batch: 4, seq: Some(seqs[3]), rows: 3 }, Found { batch: 5, seq: None, rows: 3 }]);
}

/// Who pushes or hears an ack is on a thread that others share: the disk is waited for elsewhere, when what is new is synced.
#[test]
fn segments_come_and_go_without_a_wait_for_the_disk_and_are_synced_with_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    spool.set_sync_dir(|_| Err(io::Error::other("a disk that fails")));
    let fails = |spool: &mut Spool| spool.take_unsynced().unwrap().sync().is_err();
    spool.append(&big(1, 40_000)).unwrap();
    assert!(fails(&mut spool), "its name is to be synced");
    assert!(spool.take_unsynced().is_none());
    spool.append(&big(2, 40_000)).unwrap();
    assert!(fails(&mut spool), "the name of the second");
    spool.append(&batch(3)).unwrap();
    assert!(!fails(&mut spool), "there is no new name");
    spool.mark_done(1).unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    assert!(fails(&mut spool), "a name that went");
    spool.set_sync_dir(files::sync_dir);
    spool.append(&big(4, 40_000)).unwrap();
    spool.take_unsynced().unwrap().sync().unwrap();
}

#[test]
fn a_segment_goes_when_all_of_it_is_acked_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    for number in 1..=4 {
        spool.append(&big(number, 40_000)).unwrap(); // one per segment of 64 KiB
    }
    assert_eq!(segments(dir.path()).len(), 4);
    spool.mark_done(2).unwrap();
    assert_eq!(segments(dir.path()).len(), 3, "a finished segment between others goes too");
    assert!(spool.read(2).unwrap().is_none());
    assert_eq!(spool.first_batch(), 1);
    spool.mark_done(1).unwrap();
    assert_eq!(spool.first_batch(), 3);
    spool.mark_done(3).unwrap();
    spool.mark_done(4).unwrap();
    drop(spool);
    assert_eq!(segments(dir.path()).len(), 0);
    let (spool, found) = open(dir.path());
    assert_eq!((found, spool.bytes()), (vec![], 0));
}

#[test]
fn a_tail_torn_at_any_byte_costs_the_torn_record_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    let mut ends = vec![segment::HEADER_BYTES as u64];
    let small = |number: i64| Batch::from_readings(vec![Reading::new("d", "m", number).at(number)], 0);
    for number in 1..=3 {
        spool.append(&small(number)).unwrap();
        ends.push(spool.bytes());
    }
    kill(spool);
    let whole = fs::read(&segments(dir.path())[0]).unwrap();
    let meta = fs::read(dir.path().join("meta")).unwrap();
    for cut in 0..=whole.len() {
        let torn = tempfile::tempdir().unwrap();
        fs::write(files::segment_path(torn.path(), 1), &whole[..cut]).unwrap();
        fs::write(torn.path().join("meta"), &meta).unwrap();
        let (mut spool, found) = open(torn.path());
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        assert_eq!(found.len(), kept, "cut at {cut}");
        let good = if cut < segment::HEADER_BYTES { 0 } else { ends[kept] };
        assert_eq!(spool.counters().unreadable_bytes, cut as u64 - good, "cut at {cut}");
        // The next batch stands in a new segment and is found beside the old ones.
        let next = spool.append(&batch(99)).unwrap();
        kill(spool);
        let (spool, again) = open(torn.path());
        assert_eq!(again.len(), kept + 1, "cut at {cut}");
        assert_eq!(spool.read(next).unwrap().unwrap(), batch(99));
    }
}

#[test]
fn damage_in_an_old_segment_leaves_the_others_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    for number in 1..=3 {
        spool.append(&big(number, 40_000)).unwrap();
    }
    kill(spool);
    let paths = segments(dir.path());
    let mut bytes = fs::read(&paths[1]).unwrap();
    bytes[200] ^= 1;
    fs::write(&paths[1], &bytes).unwrap();
    let mut header = fs::read(&paths[2]).unwrap();
    header[3] ^= 1;
    fs::write(&paths[2], &header).unwrap();
    let (spool, found) = open(dir.path());
    assert_eq!(found.iter().map(|found| found.batch).collect::<Vec<_>>(), [1]);
    assert_eq!(spool.counters().unreadable_bytes, (bytes.len() - segment::HEADER_BYTES + header.len()) as u64);
    assert!(paths[2].with_extension("damaged").exists(), "kept, never erased");
}

#[test]
fn a_record_damaged_after_opening_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    spool.append(&batch(1)).unwrap();
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = spool.read(1).unwrap_err().to_string();
    assert!(error.contains("checksum") && error.contains("0000000000000001.seg"), "{error}");
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    for number in 1..=40 {
        spool.append(&big(number, 40_000)).unwrap();
        assert!(spool.bytes() <= MIB, "{} B after {number}", spool.bytes());
    }
    let on_disk: u64 = segments(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(on_disk, spool.bytes());
    let dropped = spool.counters().dropped_batches;
    assert!((14..=16).contains(&dropped), "{dropped} dropped");
    assert_eq!(spool.counters().dropped_readings, dropped);
    assert_eq!(spool.first_batch(), dropped + 1, "the oldest go, without a gap");
    assert!(spool.read(dropped).unwrap().is_none());
    assert_eq!(spool.read(40).unwrap().unwrap(), big(40, 40_000));
    drop(spool);
    assert_eq!(open(dir.path()).1.len() as u64, 40 - dropped);
}

#[test]
fn a_full_spool_that_refuses_keeps_what_it_has_and_takes_more_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(dir.path(), MIB, WhenFull::RefuseNew, 1).unwrap();
    let mut kept = 0;
    let error = loop {
        match spool.append(&big(kept + 1, 40_000)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SpoolError::Full { bytes_max: MIB }), "{error}");
    assert!((24..=26).contains(&kept), "{kept} kept");
    assert_eq!(spool.counters(), SpoolCounters { refused_readings: 1, ..SpoolCounters::default() });
    spool.mark_done(1).unwrap();
    spool.append(&big(kept + 1, 40_000)).unwrap();
    kill(spool);
    assert_eq!(open(dir.path()).1.len(), kept as usize);
}

#[test]
fn a_batch_that_can_never_fit_is_refused_with_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    let error = spool.append(&big(1, 300_000)).unwrap_err();
    assert!(matches!(error, SpoolError::BatchTooBig { bytes_max, .. } if bytes_max == MIB / 4), "{error}");
    spool.append(&big(1, 200_000)).unwrap();
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = Spool::open(dir.path(), MIB, WhenFull::DropOldest, 1).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }), "{error}");
    drop(first);
    open(dir.path());
}

#[test]
fn without_meta_the_spool_starts_a_new_life_and_keeps_the_readings() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(dir.path());
    spool.append(&batch(1)).unwrap();
    let seq = spool.next_seq();
    spool.mark_sent(1, seq).unwrap();
    kill(spool);
    fs::write(dir.path().join("meta"), b"TTSPMETA???").unwrap();
    let (spool, found) = Spool::open(dir.path(), MIB, WhenFull::DropOldest, 78).unwrap();
    assert_eq!(spool.boot(), 78);
    assert_eq!(found, [Found { batch: 1, seq: None, rows: 3 }], "a number of another life says nothing");
    assert!(spool.next_seq() > seq);
}

/// Runs a test again, alone, with a disk of 2 MiB of its own: a tmpfs in a mount namespace, which goes with the process.
fn on_a_small_disk(test: &str, work: impl FnOnce(&Path)) {
    const DIR: &str = "TELLTALE_SMALL_DISK";
    if let Some(dir) = env::var_os(DIR) {
        return work(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" && exec \"$0\" --exact \"$2\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env::current_exe().unwrap()).arg(dir.path()).arg(format!("spool::tests::{test}")).env(DIR, dir.path());
    let output = command.output().expect("unshare of util-linux is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

/// Takes what is free on the disk, to the last byte.
fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("filler");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[7; 512]).is_ok() {}
    path
}

#[test]
fn a_disk_that_was_full_when_a_segment_was_begun_is_written_to_when_it_has_room() {
    on_a_small_disk("a_disk_that_was_full_when_a_segment_was_begun_is_written_to_when_it_has_room", |dir| {
        let spool_dir = dir.join("spool");
        let (mut spool, _) = open(&spool_dir);
        spool.append(&big(1, 40_000)).unwrap();
        let filler = fill(dir);
        for _ in 0..3 {
            let error = spool.append(&big(2, 40_000)).unwrap_err().to_string();
            assert!(error.contains("No space left"), "{error}");
        }
        fs::remove_file(filler).unwrap();
        assert_eq!(spool.append(&big(2, 40_000)).unwrap(), 2);
        kill(spool);
        let (spool, found) = open(&spool_dir);
        assert_eq!(found.iter().map(|found| found.batch).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((spool.counters(), segments(&spool_dir).len()), (SpoolCounters::default(), 2), "nothing is left of the attempts");
    });
}

#[test]
fn what_is_acked_goes_from_a_full_disk_though_no_mark_can_be_written() {
    on_a_small_disk("what_is_acked_goes_from_a_full_disk_though_no_mark_can_be_written", |dir| {
        let (mut spool, _) = open(&dir.join("spool"));
        for number in 1..=6 {
            spool.append(&big(number, 65_000)).unwrap();
        }
        let filler = fill(dir);
        // What is left of the page that was written last.
        while spool.mark_sent(6, 6).is_ok() {}
        spool.mark_acked(4, &[1, 2, 3, 4]).unwrap_err();
        assert_eq!((spool.readings(), spool.first_batch()), (2, 5), "they are done");
        // Files that are to be synced are still open.
        spool.take_unsynced().unwrap().sync().unwrap();
        assert_eq!(spool.append(&big(7, 65_000)).unwrap(), 7, "and made room");
        assert!(filler.exists());
    });
}

//! The log as its users see it: what was appended is there after any end, and damage costs what it touched alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{FileLog, Opened};
use super::loss::Loss;
use super::{Keep, Log, LogRead, ReadError, check};
use crate::model::{BatchPart, Commit, Position, Reading, SeriesId, Value};

mod golden;
mod lost;

const SEGMENT_BYTES: u64 = 4096;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn open(&self) -> (Opened, Vec<Commit>) {
        let mut commits = Vec::new();
        let opened = FileLog::open(&self.dir(), &self.0.path().join("set-aside"), SEGMENT_BYTES, Position(0), &mut |read, _| {
            commits.extend((0..read.commits().len()).map(|i| read.whole(i)));
            read.clear();
        })
        .unwrap();
        (opened, commits)
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> = fs::read_dir(self.dir()).unwrap().map(|e| e.unwrap().path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "seg"));
        paths.sort();
        paths
    }
}

fn commit(position: u64, readings: usize) -> Commit {
    let reading = |i: usize| Reading { series: SeriesId(i as u32), time: position as i64, value: Value::Text("x".repeat(40).into()) };
    let readings: Vec<_> = (0..readings).map(reading).collect();
    Commit {
        position: Position(position),
        parts: vec![BatchPart { agent: None, received: 5, end: readings.len() }],
        readings,
        ..Commit::default()
    }
}

fn append(opened: &mut Opened, positions: std::ops::RangeInclusive<u64>) {
    for position in positions {
        opened.log.append(&commit(position, 9)).unwrap();
    }
}

fn positions(commits: &[Commit]) -> Vec<u64> {
    commits.iter().map(|c| c.position.0).collect()
}

fn read(opened: &Opened, after: u64, until: u64) -> Result<Vec<u64>, ReadError> {
    let mut found = Vec::new();
    opened.reader.read(Position(after), Position(until), u64::MAX, &mut |c| found.push(c.position.0)).map(|()| found)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn commits_are_there_again_after_a_clean_stop_and_after_none() {
    let place = Place::new();
    let (mut opened, before) = place.open();
    assert!(before.is_empty() && opened.recovered.clean);
    let epoch = opened.reader.epoch();
    append(&mut opened, 1..=40);
    drop(opened);
    let (mut opened, commits) = place.open();
    assert_eq!(positions(&commits), (1..=40).collect::<Vec<_>>());
    assert_eq!(commits[7], commit(8, 9));
    assert!(!opened.recovered.clean, "no end record was written");
    append(&mut opened, 41..=45);
    opened.log.close().unwrap();
    let (opened, commits) = place.open();
    assert_eq!(positions(&commits), (1..=45).collect::<Vec<_>>());
    assert!(opened.recovered.clean && opened.recovered.set_aside.is_empty());
    assert_eq!(opened.reader.epoch(), epoch);
    assert!(place.segments().len() > 3, "small segments are sealed and followed by others");
}

#[test]
fn a_last_commit_cut_at_any_byte_is_set_aside_and_its_position_is_not_used_again() {
    for cut in (0..400).step_by(23) {
        let place = Place::new();
        let (mut opened, _) = place.open();
        append(&mut opened, 1..=3);
        let epoch = opened.reader.epoch();
        drop(opened);
        let path = place.segments().pop().unwrap();
        let bytes = fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|&b| b != 0).unwrap();
        let mut torn = bytes.clone();
        torn[end - cut..].fill(0);
        fs::write(&path, &torn).unwrap();
        let (mut opened, commits) = place.open();
        assert_eq!(positions(&commits), [1, 2], "cut {cut}");
        let [aside] = &opened.recovered.set_aside[..] else { panic!("cut {cut}: {:?}", opened.recovered) };
        assert_eq!(aside.loss, Loss::Unfinished);
        let kept = fs::read(&aside.kept_in).unwrap();
        assert_eq!(kept[..], torn[aside.offset as usize..][..kept.len()], "cut {cut}");
        assert_eq!((opened.reader.epoch(), opened.recovered.last), (epoch, Position(3)), "cut {cut}");
        append(&mut opened, 4..=4);
        drop(opened);
        let (opened, commits) = place.open();
        assert_eq!(positions(&commits), [1, 2, 4], "cut {cut}");
        assert!(opened.recovered.set_aside.is_empty(), "it is told once");
        assert_eq!(read(&opened, 1, 9).unwrap(), [2, 4]);
    }
}

#[test]
fn damage_before_a_good_record_is_named_and_changes_the_epoch() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=30);
    let epoch = opened.reader.epoch();
    drop(opened);
    let paths = place.segments();
    flip(&paths[0], 100);
    flip(&paths[1], 40 + 24 + 3);
    let (mut opened, commits) = place.open();
    let lost: Vec<u64> = (1..=30).filter(|p| !positions(&commits).contains(p)).collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(opened.recovered.set_aside.iter().all(|s| s.loss == Loss::Damage));
    assert_eq!(opened.recovered.set_aside[1].segment, paths[1]);
    assert_ne!(opened.reader.epoch(), epoch);
    let epoch = opened.reader.epoch();
    append(&mut opened, 31..=31);
    drop(opened);
    let (opened, again) = place.open();
    assert_eq!(again.len(), 29);
    assert_eq!(opened.reader.epoch(), epoch, "told once, changed once");
    assert_eq!(read(&opened, 0, 31).unwrap(), positions(&again));
}

#[test]
fn a_bad_record_before_an_end_record_changes_the_epoch() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=1);
    opened.log.close().unwrap();
    let epoch = opened.reader.epoch();
    flip(&place.segments()[0], 80);
    let (opened, commits) = place.open();
    assert!(commits.is_empty());
    assert_ne!(opened.reader.epoch(), epoch);
    assert_eq!(opened.recovered.set_aside[0].loss, Loss::Damage);
}

#[test]
fn a_segment_cut_off_while_it_was_made_holds_nothing() {
    for left in [0, 10, 40, 4096] {
        let place = Place::new();
        let (mut opened, _) = place.open();
        append(&mut opened, 1..=2);
        drop(opened);
        let header = fs::read(place.segments().pop().unwrap()).unwrap()[..40].to_vec();
        let mut made = vec![0; left];
        let whole = left.min(40);
        if left >= 40 {
            made[..whole].copy_from_slice(&super::segment::SegmentHeader { salt: 1, first: Position(3) }.encode());
        } else {
            made.copy_from_slice(&header[..left]);
        }
        fs::write(place.dir().join(format!("{:020}.seg", 3)), made).unwrap();
        let (mut opened, commits) = place.open();
        assert_eq!(positions(&commits), [1, 2], "{left}");
        assert!(opened.recovered.set_aside.is_empty() && !opened.recovered.epoch_changed, "{left}");
        append(&mut opened, 3..=3);
        drop(opened);
        assert_eq!(positions(&place.open().1), [1, 2, 3], "{left}");
    }
}

#[test]
fn reads_begin_after_a_position_and_say_why_they_cannot() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=100);
    for (after, until) in [(0, 100), (50, 100), (99, 100), (100, 100), (13, 14)] {
        assert_eq!(read(&opened, after, until).unwrap(), (after + 1..=until).collect::<Vec<_>>());
    }
    assert!(matches!(read(&opened, 101, 200), Err(ReadError::Ahead { .. })));
    let little = opened.reader.read(Position(0), Position(100), 5_000, &mut |_| panic!("refused before the first"));
    assert!(matches!(little, Err(ReadError::TooMuch { max: 5_000, .. })));
}

#[test]
fn a_commit_larger_than_a_segment_gets_one_of_its_own() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    opened.log.append(&commit(1, 5_000)).unwrap();
    append(&mut opened, 2..=3);
    drop(opened);
    assert_eq!(place.open().1[0], commit(1, 5_000));
}

fn open_after(place: &Place, after: u64) -> (Opened, Vec<u64>) {
    let mut found = Vec::new();
    let aside = place.0.path().join("set-aside");
    let opened = FileLog::open(&place.dir(), &aside, SEGMENT_BYTES, Position(after), &mut |read, is_all| {
        // Taken once, at the end.
        found.extend(read.commits().iter().filter(|_| is_all).map(|c| c.position.0));
    })
    .unwrap();
    (opened, found)
}

fn keep(seconds: u64, bytes: u64) -> Keep {
    Keep { keep_for: Duration::from_secs(seconds), keep_bytes: bytes }
}

#[test]
fn what_is_sealed_is_not_handed_over_again_and_its_segments_need_no_reading() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=60);
    opened.reader.trim(Position(40), 1, &keep(60, u64::MAX)).unwrap();
    drop(opened);
    // Were the first segment read, its damage would be found.
    flip(&place.segments()[0], 100);
    let (mut opened, found) = open_after(&place, 40);
    assert_eq!(found, (41..=60).collect::<Vec<_>>());
    assert!(opened.recovered.set_aside.is_empty());
    assert_eq!(read(&opened, 30, 35).unwrap(), (31..=35).collect::<Vec<_>>());
    append(&mut opened, 61..=61);
    drop(opened);
    assert_eq!(open_after(&place, 61).1, [0; 0]);
}

#[test]
fn trimming_keeps_what_was_asked_for_and_never_what_is_not_sealed() {
    let second = 1_000_000_000;
    for (sealed, now, kept, oldest) in [
        (0, 1000 * second, keep(0, 0), 1),
        (100, 0, keep(60, u64::MAX), 1),
        (50, 1000 * second, keep(60, u64::MAX), 40),
        (100, 0, keep(0, u64::MAX), 90),
        (100, 0, keep(60, 0), 90),
        (100, 0, keep(60, 9000), 75),
    ] {
        let place = Place::new();
        let (mut opened, _) = place.open();
        append(&mut opened, 1..=100);
        opened.reader.trim(Position(sealed), now, &kept).unwrap();
        let first = (1..=100).find(|p| read(&opened, p - 1, 100).is_ok()).unwrap();
        assert!((oldest..oldest + 12).contains(&first), "sealed {sealed}, {kept:?}: kept from {first}");
        assert!(read(&opened, 99, 100).is_ok());
        let (files, listed) = (place.segments().len(), read(&opened, first - 1, 100).unwrap().len() as u64);
        assert_eq!(listed, 101 - first);
        drop(opened);
        let (reopened, again) = open_after(&place, sealed);
        assert_eq!(again, (sealed.max(first - 1) + 1..=100).collect::<Vec<_>>());
        assert_eq!((place.segments().len(), reopened.recovered.last), (files, Position(100)));
    }
}

#[test]
fn after_a_clean_stop_everything_may_go_and_positions_go_on() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=30);
    let epoch = opened.reader.epoch();
    opened.log.close().unwrap();
    opened.reader.trim(Position(30), 0, &keep(60, 0)).unwrap();
    assert!(place.segments().is_empty());
    assert!(matches!(read(&opened, 3, 30), Err(ReadError::Gone { .. })));
    assert_eq!(read(&opened, 30, 30).unwrap(), [0; 0]);
    drop(opened);
    let (mut opened, found) = open_after(&place, 30);
    assert!(found.is_empty() && opened.recovered.clean);
    assert_eq!((opened.recovered.last, opened.reader.epoch()), (Position(30), epoch));
    append(&mut opened, 31..=32);
    drop(opened);
    assert_eq!(open_after(&place, 30).1, [31, 32]);
}

#[test]
fn commits_that_are_missing_behind_the_sealed_ones_are_told() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=60);
    let epoch = opened.reader.epoch();
    drop(opened);
    fs::remove_file(&place.segments()[1]).unwrap();
    let (opened, _) = open_after(&place, 3);
    assert!(opened.recovered.set_aside[0].what.contains("are missing"), "{:?}", opened.recovered);
    assert_ne!(opened.reader.epoch(), epoch);
    let epoch = opened.reader.epoch();
    drop(opened);
    let (opened, _) = open_after(&place, 60);
    assert!(opened.recovered.set_aside.is_empty());
    assert_eq!(opened.reader.epoch(), epoch);
}

#[test]
fn an_indexed_segment_gives_a_series_its_own_commits() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    for position in 1..=200 {
        // Series 0 to 8 in each tenth, series 0 alone in the others.
        opened.log.append(&commit(position, if position % 10 == 0 { 9 } else { 1 })).unwrap();
    }
    let read_of = |opened: &Opened, series: u32, max: u64| {
        let mut found = Vec::new();
        let done = opened.reader.read_of(&[SeriesId(series)], Position(0), Position(200), max, &mut |c| found.push(c.position.0));
        done.map(|()| found)
    };
    assert_eq!(read_of(&opened, 8, u64::MAX).unwrap().len(), 200, "without an index everything is read");
    opened.log.close().unwrap();
    opened.reader.trim(Position(200), 0, &keep(60, u64::MAX)).unwrap();
    let tenths: Vec<u64> = (10..=200).step_by(10).collect();
    assert_eq!(read_of(&opened, 8, u64::MAX).unwrap(), tenths);
    assert_eq!(read_of(&opened, 0, u64::MAX).unwrap().len(), 200);
    assert!(read_of(&opened, 8, 12_000).is_ok(), "its own bytes count");
    assert!(matches!(read_of(&opened, 0, 12_000), Err(ReadError::TooMuch { .. })));
    assert_eq!(read_of(&opened, 77, 0).unwrap(), [0; 0]);
}

#[test]
fn indexes_whose_segments_are_gone_are_removed_by_a_start_and_others_stay() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=40);
    assert!(place.segments().len() > 2);
    opened.reader.trim(Position(40), 0, &Keep { keep_for: Duration::from_secs(60), keep_bytes: u64::MAX }).unwrap();
    drop(opened);
    let segments = place.segments();
    // As a kill leaves it between the removals of a segment and its index, and while another is written.
    fs::remove_file(&segments[0]).unwrap();
    let unfinished = segments[1].with_extension("idx.new");
    fs::write(&unfinished, "half").unwrap();
    let foreign = place.dir().join("notes.idx");
    fs::write(&foreign, "of somebody").unwrap();
    let index = |segment: &Path| segment.with_extension("idx").exists();
    assert_eq!((index(&segments[0]), index(&segments[1])), (true, true));
    drop(FileLog::open(&place.dir(), &place.0.path().join("set-aside"), SEGMENT_BYTES, Position(40), &mut |read, _| read.clear()).unwrap());
    assert_eq!((index(&segments[0]), index(&segments[1]), unfinished.exists(), foreign.exists()), (false, true, false, true));
}

#[test]
fn an_index_that_does_not_fit_its_segment_is_made_anew() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=40);
    opened.log.close().unwrap();
    opened.reader.trim(Position(40), 0, &keep(60, u64::MAX)).unwrap();
    drop(opened);
    let segments = place.segments();
    let bad = || check::check(&place.dir(), &segments, Position(40), &mut |_, _| ()).unwrap().bad;
    assert_eq!((segments.len() > 2, bad()), (true, vec![]));
    // As a power cut leaves one that was not synced; and the last segment is damaged, and then holds a skip record.
    fs::write(segments[1].with_extension("idx"), "").unwrap();
    flip(&segments[segments.len() - 1], 100);
    let (opened, _) = open_after(&place, 40);
    assert_eq!(opened.recovered.set_aside.len(), 1);
    opened.reader.trim(Position(40), 0, &keep(60, u64::MAX)).unwrap();
    assert_eq!(bad(), []);
    assert!(segments.iter().all(|segment| segment.with_extension("idx").exists()));
}

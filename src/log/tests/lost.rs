//! What is lost is told, and neither a position nor a file that somebody may know is taken for another.

use super::*;
use crate::log::AppendError;
use crate::log::segment::SegmentHeader;

/// A commit with one text of so many bytes.
fn one_text(position: u64, bytes: usize) -> Commit {
    let reading = Reading { series: SeriesId(0), time: 1, value: Value::Text("x".repeat(bytes).into()) };
    let parts = vec![BatchPart { agent: None, received: 5, end: 1 }];
    Commit { position: Position(position), parts, readings: vec![reading], ..Commit::default() }
}

fn last_record(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap();
    let mut starts = (40..bytes.len()).step_by(8).filter(|at| bytes[*at..].starts_with(b"TTcm"));
    starts.next_back().unwrap()
}

#[test]
fn a_stop_finds_room_for_its_end_record_however_full_the_segment_is() {
    for bytes in (3_900..4_100).step_by(4) {
        let place = Place::new();
        let (mut opened, _) = place.open();
        opened.log.append(&one_text(1, bytes)).unwrap();
        opened.log.close().unwrap_or_else(|error| panic!("{bytes}: {error}"));
        drop(opened);
        let (opened, commits) = place.open();
        assert_eq!((positions(&commits), opened.recovered.clean), (vec![1], true), "{bytes}");
    }
}

#[test]
fn a_segment_that_is_there_already_is_never_removed() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    let path = place.dir().join(format!("{:020}.seg", 1));
    fs::write(&path, "somebody's").unwrap();
    assert!(matches!(opened.log.append(&commit(1, 1)), Err(AppendError::Poisoned { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
}

#[test]
fn the_position_of_a_last_commit_that_may_have_been_acked_is_not_given_again() {
    // A body alone; a header, which no longer tells the position; both commits of the end.
    for (rule, bad, most) in [("body", vec![(0, 60)], 4), ("header", vec![(0, 9)], 4 + 16), ("two", vec![(0, 9), (1, 9)], 3 + 32)] {
        let place = Place::new();
        let (mut opened, _) = place.open();
        append(&mut opened, 1..=4);
        let epoch = opened.reader.epoch();
        drop(opened);
        let path = place.segments().pop().unwrap();
        let (last, bytes) = (last_record(&path), (last_record(&path) - 40) / 3);
        bad.iter().for_each(|(back, at)| flip(&path, last - back * bytes + at));
        let (mut opened, commits) = place.open();
        let left = 4 - bad.len() as u64;
        assert_eq!(positions(&commits), (1..=left).collect::<Vec<_>>(), "{rule}");
        let [aside] = &opened.recovered.set_aside[..] else { panic!("{rule}: {:?}", opened.recovered) };
        assert_eq!((aside.loss, opened.recovered.epoch_changed), (Loss::Unclear, false), "{rule}");
        let last = opened.recovered.last.0;
        assert_eq!((opened.reader.epoch(), opened.recovered.unclear.0), (epoch, last), "{rule}");
        assert!((4..=most).contains(&last), "{rule}: {last}");
        append(&mut opened, last + 1..=last + 1);
        drop(opened);
        let (opened, commits) = place.open();
        assert_eq!(positions(&commits), (1..=left).chain([last + 1]).collect::<Vec<_>>(), "{rule}");
        assert_eq!((opened.reader.epoch(), opened.recovered.set_aside.len()), (epoch, 0), "{rule}: told once");
        assert_eq!(opened.recovered.unclear.0, last, "{rule}: a start that was cut off knows it again");
        assert_eq!(read(&opened, 0, last + 1).unwrap(), positions(&commits), "{rule}");
    }
}

#[test]
fn the_next_segment_says_that_the_end_of_the_one_before_was_acked_and_where_it_ended() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=4);
    drop(opened);
    let path = place.segments().pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let last = last_record(&path);
    bytes[last + 30..].fill(0);
    fs::write(&path, bytes).unwrap();
    fs::write(place.dir().join(format!("{:020}.seg", 5)), SegmentHeader { salt: 1, first: Position(5) }.encode()).unwrap();
    let (mut opened, commits) = place.open();
    assert_eq!(positions(&commits), [1, 2, 3]);
    assert_eq!((opened.recovered.set_aside[0].loss, opened.recovered.last), (Loss::Damage, Position(4)));
    append(&mut opened, 5..=5);
    drop(opened);
    assert_eq!(positions(&place.open().1), [1, 2, 3, 5]);
}

#[test]
fn what_a_segment_without_a_header_may_have_held_is_not_given_again() {
    for (which, name) in [(1, "in the middle"), (2, "the last")] {
        let place = Place::new();
        let (mut opened, _) = place.open();
        append(&mut opened, 1..=24);
        drop(opened);
        let paths = place.segments();
        assert_eq!(paths.len(), 3, "{paths:?}");
        flip(&paths[which], 20);
        let (opened, commits) = place.open();
        let lost = (1..=24).find(|p| !positions(&commits).contains(p)).unwrap();
        assert_eq!(paths[which].file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap(), lost, "{name}");
        assert!(opened.recovered.epoch_changed, "{name}");
        assert_eq!(opened.recovered.set_aside.iter().map(|aside| aside.loss).collect::<Vec<_>>(), [Loss::Damage], "{name}");
        let (epoch, last) = (opened.reader.epoch(), opened.recovered.last.0);
        assert!(if which == 1 { last == 24 } else { last >= 24 }, "{name}: {last}");
        drop(opened);
        // Nothing was appended meanwhile: it is known all the same.
        let (mut opened, again) = place.open();
        assert_eq!((opened.recovered.last.0, opened.reader.epoch()), (last, epoch), "{name}");
        assert_eq!((positions(&again), opened.recovered.set_aside.len()), (positions(&commits), 0), "{name}: told once");
        append(&mut opened, last + 1..=last + 1);
        assert_eq!(read(&opened, 0, last + 1).unwrap().len(), commits.len() + 1, "{name}");
    }
}

#[test]
fn a_clock_that_was_set_back_makes_no_hole() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    let second = 1_000_000_000;
    for position in 1..=60 {
        let wall = if position < 10 { 1_000 * second } else { 10 * second };
        opened.log.append(&Commit { wall, ..commit(position, 9) }).unwrap();
    }
    opened.reader.trim(Position(60), 1_030 * second, &keep(60, u64::MAX)).unwrap();
    assert_eq!(read(&opened, 0, 60).unwrap(), (1..=60).collect::<Vec<_>>());
    opened.reader.trim(Position(60), 1_070 * second, &keep(60, u64::MAX)).unwrap();
    assert!(matches!(read(&opened, 0, 60), Err(ReadError::Gone { .. })));
    assert!(read(&opened, 59, 60).is_ok());
}

#[test]
fn a_read_over_missing_segments_says_that_they_are_gone() {
    let place = Place::new();
    let (mut opened, _) = place.open();
    append(&mut opened, 1..=60);
    drop(opened);
    let paths = place.segments();
    let first = |i: usize| paths[i].file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    fs::remove_file(&paths[2]).unwrap();
    // All of it is sealed, so the start has nothing to tell.
    let (opened, _) = open_after(&place, 60);
    for after in [0, first(2) - 1, first(2)] {
        let found = read(&opened, after, 60);
        assert!(matches!(found, Err(ReadError::Gone { oldest, .. }) if oldest.0 == first(3)), "{after}: {found:?}");
    }
    assert_eq!(read(&opened, 0, first(2) - 1).unwrap().len() as u64, first(2) - 1);
    assert_eq!(read(&opened, first(3) - 1, 60).unwrap().len() as u64, 61 - first(3));
}

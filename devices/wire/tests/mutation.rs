//! Random bytes and damaged golden frames: never a panic, and never more memory than a bound that the frame's length and
//! the limits give. A failing run prints its seed. One test, since the count of allocated bytes is the whole process's.

#![expect(clippy::unwrap_used, reason = "the golden frames are good")]

mod support;

use std::alloc::System;
use std::fs;
use std::path::Path;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{random_batch, read_all};
use telltale_wire::{BatchBuilder, ColumnBuf, Limits};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SEEDS: std::ops::Range<u64> = 0..150_000;
const LIMITS: fn() -> Limits = || Limits { batch_readings: 2_000, ..Limits::default() };

#[test]
fn no_bytes_make_it_panic_or_take_much_memory() {
    let frames = frames();
    let (mut refused, mut taken) = (0, 0);
    for seed in SEEDS {
        let frame = damaged(seed, &frames);
        let region = Region::new(ALLOCATOR);
        let good = read(&frame, seed);
        let bytes = region.change().bytes_allocated;
        let bound = bound(&frame, &LIMITS());
        assert!(bytes <= bound, "seed {seed}: {bytes} bytes allocated for a frame of {}, at most {bound}", frame.len());
        if good { taken += 1 } else { refused += 1 }
    }
    // Both ways were walked: damage in a value often gives another good frame, damage in a count does not.
    assert!(refused > 10_000 && taken > 10_000, "{refused} refused, {taken} taken");
}

/// Lists of what the frame itself holds, and the columns of one group, decoded: times, integers, floats, bools, text ends.
fn bound(frame: &[u8], limits: &Limits) -> usize {
    let per_reading = 8 + 8 + 8 + 1 + 4;
    // Twice, since a vector that grows is copied.
    64 * frame.len() + 2 * per_reading * limits.batch_readings as usize + 4096
}

fn read(frame: &[u8], seed: u64) -> bool {
    std::panic::catch_unwind(|| read_all(frame, &LIMITS(), &mut Vec::new(), &mut ColumnBuf::default()))
        .unwrap_or_else(|_| panic!("seed {seed}: panicked on {frame:02x?}"))
        .is_ok()
}

/// The golden frames and a few random batches.
fn frames() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut frames: Vec<Vec<u8>> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| fs::read_to_string(path).unwrap().split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect())
        .collect();
    assert!(frames.len() >= 20, "{} golden frames", frames.len());
    for seed in 0..20 {
        let mut builder = BatchBuilder::new(Limits::default());
        for reading in random_batch(seed) {
            builder.push(reading.alias, reading.time_ns, reading.value.borrowed()).unwrap();
        }
        let mut frame = Vec::new();
        builder.encode(seed, &mut frame);
        frames.push(frame);
    }
    frames
}

fn damaged(seed: u64, frames: &[Vec<u8>]) -> Vec<u8> {
    const HUGE: [u8; 6] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20]; // 2^40 as a varint
    let mut random = fastrand::Rng::with_seed(seed);
    if random.u8(..20) == 0 {
        let length = random.usize(..200);
        let mut frame: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        // A type that is known, so that more than the first byte is tried.
        if let Some(first) = frame.first_mut() {
            *first = [1, 2, 3, 3, 4, 0x81, 0x82, 0x83, 0x84, 0x85][random.usize(..10)];
        }
        return frame;
    }
    let mut frame = frames[random.usize(..frames.len())].clone();
    for _ in 0..random.usize(1..4) {
        if frame.is_empty() {
            break;
        }
        let at = random.usize(..frame.len());
        match random.u8(..7) {
            0 => frame[at] ^= 1 << random.u8(..8),
            1 => frame[at] = random.u8(..),
            2 => frame[at] = [0, 1, 0x7f, 0x80, 0xff][random.usize(..5)],
            3 => frame.truncate(at),
            4 => drop(frame.splice(at..=at, HUGE)),
            5 => drop(frame.remove(at)),
            _ => {
                let other = &frames[random.usize(..frames.len())];
                let from = random.usize(..other.len());
                let to = random.usize(from..other.len().min(from + 20));
                drop(frame.splice(at..at, other[from..to].iter().copied()));
            }
        }
    }
    frame
}

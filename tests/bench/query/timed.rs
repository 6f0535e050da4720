//! What a question takes: CPU of the program that answers, and wall as the asker sees it.

use std::time::{Duration, Instant};

pub(super) const COLD: usize = 5;
pub(super) const WARM: usize = 15;

/// A program that answers questions over HTTP.
pub(super) trait Program {
    fn pid(&self) -> u32;
    /// A new process on the same data.
    fn restart(&mut self);
    /// Something small, so that the code is in memory.
    fn warm_up(&mut self);
    /// The whole answer.
    fn ask(&mut self, question: &str) -> Vec<u8>;
}

/// Medians, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    cold_ms: f64,
    cold_cpu_ms: f64,
    warm_ms: f64,
    pub(super) warm_cpu_ms: f64,
    bytes: usize,
}

pub(super) fn measure(program: &mut dyn Program, question: &str) -> Figures {
    let mut bytes = 0;
    let mut cold = Vec::new();
    for _ in 0..COLD {
        program.restart();
        program.warm_up();
        assert!(crate::history::drop_page_cache(), "root alone may drop the page cache");
        cold.push(once(program, question, &mut bytes));
    }
    let warm: Vec<_> = (0..WARM).map(|_| once(program, question, &mut bytes)).collect();
    let median = |all: &[(Duration, Duration)], of: fn(&(Duration, Duration)) -> Duration| {
        let mut all: Vec<_> = all.iter().map(of).collect();
        crate::store::at(&mut all, 0.5)
    };
    Figures {
        cold_ms: median(&cold, |one| one.0),
        cold_cpu_ms: median(&cold, |one| one.1),
        warm_ms: median(&warm, |one| one.0),
        warm_cpu_ms: median(&warm, |one| one.1),
        bytes,
    }
}

/// Wall and CPU.
fn once(program: &mut dyn Program, question: &str, bytes: &mut usize) -> (Duration, Duration) {
    let (cpu, begun) = (cpu(program.pid()), Instant::now());
    *bytes = program.ask(question).len();
    let wall = begun.elapsed();
    (wall, self::cpu(program.pid()).saturating_sub(cpu))
}

/// What the threads of a process have run so far. Finer than the ticks of `/proc/PID/stat`.
fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let each = tasks.flatten().filter_map(|task| {
        // A thread may end in between.
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(each.sum())
}

impl Figures {
    pub(super) fn print(self, what: &str) {
        let Self { cold_ms, cold_cpu_ms, warm_ms, warm_cpu_ms, bytes } = self;
        println!(
            "    {what}: cold {cold_ms:.1} ms ({cold_cpu_ms:.1} of CPU), warm {warm_ms:.2} ms ({warm_cpu_ms:.2} of CPU), {} KiB",
            bytes / 1024
        );
    }
}

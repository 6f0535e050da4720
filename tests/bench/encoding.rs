//! The same live frames as JSON and as MessagePack: bytes a point, and what encoding costs on one core. What a browser's engine takes to
//! decode them is measured by `tests/bench/encoding.mjs` on the frames that this writes.

use telltale::live::content::{Envelope, Run, Tick};
use telltale::live::cursor::Cursor;
use telltale::live::frame;
use telltale::live::protocol::Encoding;
use telltale::model::{Position, TimeNs, Value};

const MS: i64 = 1_000_000;
/// 2026-11-24, in whole milliseconds, as most senders have it.
const NOW: TimeNs = 1_795_478_400_000_000_000;
const ROUNDS: usize = 2_000;

/// One value of each of 100 series, as ten devices of ten metrics give it once a second; 100 of each, as ten of them at 1 kHz do.
const SHAPES: [(&str, usize, usize); 2] = [("100 series, 1 point each", 100, 1), ("10 series, 100 points each", 10, 100)];

pub(crate) fn encoding() {
    let dir = std::env::temp_dir().join("telltale-live-frames");
    std::fs::create_dir_all(&dir).expect("a directory for the frames");
    for (number, (shape, series, points)) in SHAPES.into_iter().enumerate() {
        for (values, value) in [("tenths", tenth as fn(usize) -> Value), ("17 digits", long), ("integers", integer)] {
            let tick = tick(series, points, value);
            let mut line = format!("live frames, {shape}, {values}:");
            for (encoding, name) in [(Encoding::Json, "json"), (Encoding::MsgPack, "msgpack")] {
                let envelope = Envelope { id: "chart".into(), encoding };
                let bytes = frame::tick(&envelope, &tick);
                let begun = cpu_ns();
                let written: usize = (0..ROUNDS).map(|_| std::hint::black_box(frame::tick(&envelope, &tick)).len()).sum();
                let ns = (cpu_ns() - begun) as f64 / (ROUNDS * series * points) as f64;
                assert_eq!(written, ROUNDS * bytes.len());
                line += &format!(" {name} {:.1} B and {ns:.0} ns a point;", bytes.len() as f64 / (series * points) as f64);
                let file = dir.join(format!("{number}-{}.{name}", values.replace(' ', "-")));
                std::fs::write(file, bytes).expect("a frame is written");
            }
            println!("{line}");
        }
    }
    println!("frames for `node tests/bench/encoding.mjs {}`", dir.display());
}

/// What this thread has had of a core, so that others on the machine do not count.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds come first")
}

fn tick(series: usize, points: usize, value: fn(usize) -> Value) -> Tick {
    let cursor = |position| Cursor { epoch: 0x1234_5678_9abc_def0, position: Position(position), attributes: None };
    let point = |series: usize, i: usize| (NOW + (i as i64) * MS + series as i64 * MS, value(series * points + i));
    let run = |number: usize| Run { number: number as u32, points: (0..points).map(|i| point(number, i)).collect() };
    let mut tick = Tick::empty(cursor(1_000_000), cursor(1_000_001));
    tick.runs = (0..series).map(run).collect();
    tick
}

fn tenth(i: usize) -> Value {
    Value::Float((200 + (i * 7) % 100) as f64 / 10.0)
}

fn long(i: usize) -> Value {
    Value::Float((i as f64 + 1.0).sqrt() / 3.0)
}

fn integer(i: usize) -> Value {
    Value::Int(20_000 + (i as i64 * 37) % 1_000)
}

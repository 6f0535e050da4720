//! Devices that are made up: each has two temperatures that wander, a pressure, a counter, a door and a mode. For trying out,
//! demonstrations and load.
//!
//! Invariant: the same seed, settings and clock give the same readings. The times of a device grow.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use telltale_sdk::{Kind, Reading};
use tokio::time::{MissedTickBehavior, interval};

use super::{Sink, Stop, stopped};
use crate::config::Simulate;

const MODES: [&str; 4] = ["idle", "running", "cleaning", "fault"];
/// Late readings that are held back; beyond it the oldest come early.
const LATE_READINGS_MAX: usize = 100_000;
const MS: i64 = 1_000_000;

pub(crate) async fn run(settings: Simulate, sink: Sink, mut stop: Stop) {
    let mut ticks = interval(settings.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut simulator = Simulator::new(&settings);
    loop {
        tokio::select! {
            _ = ticks.tick() => sink.push(simulator.tick(sink.now_ns())).await,
            () = stopped(&mut stop) => break,
        }
    }
    sink.push(simulator.rest()).await;
}

struct Simulator {
    random: Rng,
    devices: Vec<Device>,
    jitter_ns: u64,
    late_percent: u32,
    late_by_ns: i64,
    /// Held back, with the time at which they come; oldest first.
    late: VecDeque<(i64, Reading)>,
}

struct Device {
    id: String,
    inlet: f64,
    outlet: f64,
    pressure: f64,
    energy_wh: i64,
    open: bool,
    mode: usize,
}

impl Simulator {
    fn new(settings: &Simulate) -> Simulator {
        let mut random = Rng::with_seed(settings.seed);
        let devices = (1..=settings.devices).map(|number| Device::new(format!("{}-{number}", settings.prefix), &mut random)).collect();
        let every_ns = nanoseconds(settings.every);
        Simulator {
            devices,
            jitter_ns: every_ns.unsigned_abs() / 100 * u64::from(settings.jitter_percent),
            late_percent: settings.late_percent,
            late_by_ns: nanoseconds(settings.late_by),
            late: VecDeque::new(),
            random,
        }
    }

    /// What comes now: this tick's readings that are on time, and earlier ones whose time has come.
    fn tick(&mut self, now_ns: i64) -> Vec<Reading> {
        let mut readings = Vec::with_capacity(self.devices.len() * 6);
        while self.late.front().is_some_and(|(due_ns, _)| *due_ns <= now_ns) || self.late.len() > LATE_READINGS_MAX {
            readings.extend(self.late.pop_front().map(|(_, reading)| reading));
        }
        for device in &mut self.devices {
            // Whole milliseconds, as most devices have them; never ahead of the clock.
            let strayed = if self.jitter_ns == 0 { 0 } else { self.random.u64(..self.jitter_ns).cast_signed() };
            let time_ns = (now_ns - strayed) / MS * MS;
            let measured = device.measure(time_ns, &mut self.random);
            if self.random.u32(..100) < self.late_percent {
                self.late.extend(measured.into_iter().map(|reading| (now_ns + self.late_by_ns, reading)));
            } else {
                readings.extend(measured);
            }
        }
        readings
    }

    /// What is still held back when the simulation ends.
    fn rest(&mut self) -> Vec<Reading> {
        self.late.drain(..).map(|(_, reading)| reading).collect()
    }
}

impl Device {
    fn new(id: String, random: &mut Rng) -> Device {
        Device {
            id,
            inlet: 15.0 + random.f64() * 10.0,
            outlet: 40.0 + random.f64() * 20.0,
            pressure: 980.0 + random.f64() * 60.0,
            energy_wh: random.i64(0..1_000_000),
            open: false,
            mode: 1,
        }
    }

    fn measure(&mut self, time_ns: i64, random: &mut Rng) -> Vec<Reading> {
        self.inlet = wander(self.inlet, 20.0, 0.2, random);
        self.outlet = wander(self.outlet, 50.0, 0.5, random);
        self.pressure = wander(self.pressure, 1013.25, 0.3, random);
        self.energy_wh += if MODES[self.mode] == "running" { random.i64(5..15) } else { random.i64(0..2) };
        if random.u32(..100) < 3 {
            self.open = !self.open;
        }
        if random.u32(..200) == 0 {
            self.mode = random.usize(..MODES.len());
        }
        let reading = |metric: &str, value: telltale_sdk::Value| Reading::new(self.id.as_str(), metric, value).at(time_ns);
        vec![
            reading("temperature", rounded(self.inlet, 10.0).into()).label("at", "inlet").unit("°C").kind(Kind::Gauge),
            reading("temperature", rounded(self.outlet, 10.0).into()).label("at", "outlet").unit("°C").kind(Kind::Gauge),
            reading("pressure", rounded(self.pressure, 100.0).into()).unit("hPa").kind(Kind::Gauge),
            reading("energy", self.energy_wh.into()).unit("Wh").kind(Kind::Counter),
            reading("door.open", self.open.into()).kind(Kind::State),
            reading("mode", MODES[self.mode].into()).kind(Kind::Text),
        ]
    }
}

/// A step in any direction, with a pull back to the middle.
fn wander(value: f64, middle: f64, step: f64, random: &mut Rng) -> f64 {
    value + (random.f64() * 2.0 - 1.0) * step + (middle - value) * 0.002
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use telltale_sdk::Value;

    use super::*;

    const START: i64 = 1_795_396_030_000_000_000;
    const SECOND: i64 = 1_000_000_000;

    fn settings() -> Simulate {
        Simulate { devices: 3, late_percent: 20, late_by: Duration::from_secs(3), ..Simulate::default() }
    }

    /// The readings of each tick.
    fn simulate(settings: &Simulate, ticks: i64) -> Vec<Vec<Reading>> {
        let mut simulator = Simulator::new(settings);
        (0..ticks).map(|tick| simulator.tick(START + tick * SECOND)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_readings() {
        assert_eq!(simulate(&settings(), 50), simulate(&settings(), 50));
        assert_ne!(simulate(&settings(), 50), simulate(&Simulate { seed: 2, ..settings() }, 50));
    }

    #[test]
    fn signals_are_plausible() {
        let readings: Vec<Reading> = simulate(&Simulate { late_percent: 0, ..settings() }, 500).concat();
        assert_eq!(readings.len(), 500 * 3 * 6);
        let mut energy: BTreeMap<&str, i64> = BTreeMap::new();
        let mut doors = [0; 2];
        for reading in &readings {
            match (reading.metric.as_str(), &reading.value) {
                ("temperature", Value::Float(celsius)) => {
                    assert!((0.0..90.0).contains(celsius), "{celsius}");
                    assert_eq!((celsius * 10.0).round() / 10.0, *celsius, "one decimal");
                }
                ("pressure", Value::Float(hpa)) => assert!((900.0..1100.0).contains(hpa), "{hpa}"),
                ("energy", Value::Int(wh)) => {
                    let before = energy.insert(&reading.device, *wh).unwrap_or(0);
                    assert!(*wh >= before, "a counter grows");
                }
                ("door.open", Value::Bool(open)) => doors[usize::from(*open)] += 1,
                ("mode", Value::Text(mode)) => assert!(MODES.contains(&mode.as_str())),
                other => panic!("{other:?}"),
            }
        }
        assert!(doors.iter().all(|count| *count > 50), "doors open and close: {doors:?}");
        assert_eq!(energy.keys().copied().collect::<Vec<_>>(), ["sim-1", "sim-2", "sim-3"]);
    }

    #[test]
    fn times_stray_backwards_only_and_grow_for_each_device() {
        let settings = Simulate { late_percent: 0, jitter_percent: 90, ..settings() };
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        for (tick, readings) in (0..).zip(simulate(&settings, 100)) {
            let now = START + tick * SECOND;
            for reading in readings.iter().filter(|reading| reading.metric == "mode") {
                let time = reading.time.unwrap();
                assert!(time <= now && time > now - SECOND && time % MS == 0);
                assert!(last.insert(reading.device.clone(), time).is_none_or(|before| before < time));
            }
        }
    }

    #[test]
    fn late_readings_come_late_with_their_own_time_and_none_is_lost() {
        let mut simulator = Simulator::new(&settings());
        let mut late = 0;
        let mut all = 0;
        for tick in 0..100 {
            let now = START + tick * SECOND;
            let readings = simulator.tick(now);
            all += readings.len();
            late += readings.iter().filter(|reading| reading.time.unwrap() <= now - 2 * SECOND).count();
        }
        all += simulator.rest().len();
        assert_eq!(all, 100 * 3 * 6);
        assert!((100 * 3 * 6 / 10..100 * 3 * 6 * 3 / 10).contains(&late), "{late} late ones");
    }
}

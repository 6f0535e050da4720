//! This machine: CPU, load, memory, disks, network, temperatures, uptime, through sysinfo.
//!
//! | metric | unit | kind | labels |
//! |---|---|---|---|
//! | `cpu.usage` | % | gauge | `cpu=cpu0` for a core; none for all together |
//! | `load.1m`, `load.5m`, `load.15m` | | gauge | |
//! | `mem.total`, `mem.used`, `mem.available`, `swap.total`, `swap.used` | B | gauge | |
//! | `mem.used_percent` | % | gauge | |
//! | `disk.total`, `disk.used`, `disk.available` | B | gauge | `mount=/` |
//! | `disk.used_percent` | % | gauge | `mount=/` |
//! | `net.bytes_recv`, `net.bytes_sent` | B | counter | `interface=eth0` |
//! | `net.packets_recv`, `net.packets_sent`, `net.errors_recv`, `net.errors_sent` | | counter | `interface=eth0` |
//! | `temperature` | °C | gauge | `sensor=...` |
//! | `uptime` | s | gauge | |
//!
//! What this machine does not have is left out: a container may have no temperatures and no swap.

use std::collections::BTreeSet;
use std::time::Duration;

use sysinfo::{Components, CpuRefreshKind, DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL, Networks, System};
use telltale_sdk::{Kind, Reading, Value};
use tokio::time::{MissedTickBehavior, interval};

use super::{Sink, Stop, stopped};

/// Disks fill slowly, and asking a network file system may take long.
const DISKS_EVERY: Duration = Duration::from_secs(10);

/// Measures at each interval until told to stop.
pub(crate) async fn run(device: String, every: Duration, sink: Sink, mut stop: Stop) {
    let Some(mut host) = blocking(move || Host::open(device, every)).await else { return };
    // The use of a CPU is a difference between two moments.
    tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL).await;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let now_ns = sink.now_ns();
        let Some((again, readings)) = blocking(move || {
            let readings = host.read(now_ns);
            (host, readings)
        })
        .await
        else {
            return;
        };
        host = again;
        sink.push(readings).await;
    }
}

/// Asking the system may block; it does so beside the tasks that talk to the hub.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => {
            tracing::error!(%error, "the host input ends");
            None
        }
    }
}

/// The name of this machine, or `unnamed` where it has none.
pub(crate) fn host_name() -> String {
    System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unnamed".to_owned())
}

/// Each part is `None` where this system does not have it.
struct Host {
    device: String,
    system: Option<System>,
    disks: Option<Disks>,
    networks: Option<Networks>,
    components: Option<Components>,
    /// Ticks between two looks at the disks, and ticks since the last.
    disk_ticks: u128,
    tick: u128,
}

impl Host {
    fn open(device: String, every: Duration) -> Host {
        let mut system = available("CPU and memory", System::new());
        if let Some(system) = &mut system {
            system.refresh_cpu_list(CpuRefreshKind::nothing().with_usage());
        }
        let space = DiskRefreshKind::nothing().with_storage();
        Host {
            device,
            system,
            disks: available("disks", Disks::new_with_refreshed_list_specifics(space)),
            networks: available("network", Networks::new_with_refreshed_list()),
            components: available("temperatures", Components::new_with_refreshed_list()),
            disk_ticks: (DISKS_EVERY.as_millis() / every.as_millis().max(1)).max(1),
            tick: 0,
        }
    }

    /// Everything at one time.
    fn read(&mut self, now_ns: i64) -> Vec<Reading> {
        let mut readings = Readings { device: &self.device, time_ns: now_ns, list: Vec::with_capacity(64) };
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory();
            read_cpus(system, &mut readings);
            read_memory(system, &mut readings);
        }
        if let Some(disks) = &mut self.disks
            && self.tick.is_multiple_of(self.disk_ticks)
        {
            disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
            read_disks(disks, &mut readings);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
            read_networks(networks, &mut readings);
        }
        if let Some(components) = &mut self.components {
            components.refresh(true);
            read_components(components, &mut readings);
        }
        if let Ok(seconds) = System::uptime() {
            readings.add("uptime", count(seconds), "s", &[]);
        }
        self.tick += 1;
        readings.list
    }
}

fn available<T>(what: &str, part: Result<T, impl std::fmt::Display>) -> Option<T> {
    part.map_err(|error| tracing::info!("host: no {what}: {error}")).ok()
}

fn read_cpus(system: &System, readings: &mut Readings<'_>) {
    readings.add("cpu.usage", percent(system.global_cpu_usage().into()), "%", &[]);
    for cpu in system.cpus() {
        readings.add("cpu.usage", percent(cpu.usage().into()), "%", &[("cpu", cpu.name())]);
    }
    if let Ok(load) = System::load_average() {
        readings.add("load.1m", Value::Float(load.one), "", &[]);
        readings.add("load.5m", Value::Float(load.five), "", &[]);
        readings.add("load.15m", Value::Float(load.fifteen), "", &[]);
    }
}

fn read_memory(system: &System, readings: &mut Readings<'_>) {
    readings.add("mem.total", count(system.total_memory()), "B", &[]);
    readings.add("mem.used", count(system.used_memory()), "B", &[]);
    readings.add("mem.available", count(system.available_memory()), "B", &[]);
    readings.add("mem.used_percent", share(system.used_memory(), system.total_memory()), "%", &[]);
    if system.total_swap() > 0 {
        readings.add("swap.total", count(system.total_swap()), "B", &[]);
        readings.add("swap.used", count(system.used_swap()), "B", &[]);
    }
}

fn read_disks(disks: &Disks, readings: &mut Readings<'_>) {
    // One place may be mounted over several times; the last one is what is seen there.
    let mut seen = BTreeSet::new();
    for disk in disks.iter().rev().filter(|disk| disk.total_space() > 0) {
        let mount = disk.mount_point().to_string_lossy().into_owned();
        let (total, available) = (disk.total_space(), disk.available_space());
        let used = total.saturating_sub(available);
        let labels = [("mount", mount.as_str())];
        if seen.insert(mount.clone()) {
            readings.add("disk.total", count(total), "B", &labels);
            readings.add("disk.used", count(used), "B", &labels);
            readings.add("disk.available", count(available), "B", &labels);
            readings.add("disk.used_percent", share(used, total), "%", &labels);
        }
    }
}

fn read_networks(networks: &Networks, readings: &mut Readings<'_>) {
    for (interface, data) in networks {
        let interface = interface.to_string_lossy();
        let labels = [("interface", interface.as_ref())];
        readings.add_counter("net.bytes_recv", data.total_received(), "B", &labels);
        readings.add_counter("net.bytes_sent", data.total_transmitted(), "B", &labels);
        readings.add_counter("net.packets_recv", data.total_packets_received(), "", &labels);
        readings.add_counter("net.packets_sent", data.total_packets_transmitted(), "", &labels);
        readings.add_counter("net.errors_recv", data.total_errors_on_received(), "", &labels);
        readings.add_counter("net.errors_sent", data.total_errors_on_transmitted(), "", &labels);
    }
}

fn read_components(components: &Components, readings: &mut Readings<'_>) {
    let mut seen = BTreeSet::new();
    for component in components.iter() {
        let celsius = component.temperature().filter(|celsius| celsius.is_finite());
        if let Some(celsius) = celsius
            && seen.insert(component.label())
        {
            readings.add("temperature", percent(celsius.into()), "°C", &[("sensor", component.label())]);
        }
    }
}

/// The readings of one moment of one device.
struct Readings<'a> {
    device: &'a str,
    time_ns: i64,
    list: Vec<Reading>,
}

impl Readings<'_> {
    fn add(&mut self, metric: &str, value: Value, unit: &str, labels: &[(&str, &str)]) {
        self.push(metric, value, unit, Kind::Gauge, labels);
    }

    fn add_counter(&mut self, metric: &str, total: u64, unit: &str, labels: &[(&str, &str)]) {
        self.push(metric, count(total), unit, Kind::Counter, labels);
    }

    fn push(&mut self, metric: &str, value: Value, unit: &str, kind: Kind, labels: &[(&str, &str)]) {
        let mut reading = Reading::new(self.device, metric, value).kind(kind).at(self.time_ns);
        if !unit.is_empty() {
            reading = reading.unit(unit);
        }
        for (name, value) in labels {
            reading = reading.label(*name, printable(value));
        }
        self.list.push(reading);
    }
}

/// Counters beyond i64 would take a machine centuries; they stay at its end.
fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Two decimals are what such a value is good for, and they travel in two bytes instead of eight.
fn percent(value: f64) -> Value {
    Value::Float((value * 100.0).round() / 100.0)
}

fn share(part: u64, whole: u64) -> Value {
    percent(if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// As a label's value may be: no control characters, no backslash at the end.
fn printable(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    text.trim_end_matches('\\').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_measured() {
        let mut host = Host::open("me".to_owned(), Duration::from_secs(1));
        let readings = host.read(1_795_396_030_000_000_000);
        let values = |metric: &str| readings.iter().filter(|reading| reading.metric == metric).collect::<Vec<_>>();
        let number = |metric: &str| match values(metric).first().map(|reading| &reading.value) {
            Some(Value::Int(int)) => *int as f64,
            Some(Value::Float(float)) => *float,
            other => panic!("{metric}: {other:?}"),
        };
        let cores = values("cpu.usage").iter().filter(|reading| reading.labels.len() == 1).count();
        assert_eq!(cores, std::thread::available_parallelism().unwrap().get().max(cores), "a series for each core");
        assert_eq!(values("cpu.usage").len(), cores + 1, "and one for all, without a label");
        assert!((0.0..=100.0).contains(&number("cpu.usage")));
        assert!(number("mem.total") > 1e6 && number("mem.used") <= number("mem.total"));
        assert!((0.0..=100.0).contains(&number("mem.used_percent")));
        assert!(number("uptime") > 0.0);
        assert!(number("load.1m") >= 0.0);
        for reading in values("net.bytes_recv") {
            assert_eq!((reading.kind, reading.unit.as_deref()), (Some(Kind::Counter), Some("B")));
            assert_eq!(reading.labels[0].0, "interface");
        }
        for reading in values("disk.used") {
            assert!(reading.labels[0].1.starts_with('/'), "{reading:?}");
        }
        let mut names: Vec<_> = readings.iter().map(|reading| (&reading.metric, &reading.labels)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), readings.len(), "each series once");
        assert!(readings.iter().all(|reading| reading.device == "me" && reading.time == Some(1_795_396_030_000_000_000)));
    }

    #[test]
    fn disks_are_asked_every_ten_seconds() {
        let mut host = Host::open("me".to_owned(), Duration::from_secs(5));
        let disks = |readings: &[Reading]| readings.iter().any(|reading| reading.metric.starts_with("disk."));
        let first = disks(&host.read(0));
        let asked: Vec<bool> = (0..4).map(|_| disks(&host.read(0))).collect();
        assert_eq!(asked, [false, first, false, first]);
    }

    #[test]
    fn labels_are_made_fit() {
        assert_eq!(printable("a\tb\\\\"), "ab");
        assert_eq!(share(1, 3), Value::Float(33.33));
        assert_eq!(share(1, 0), Value::Float(0.0));
    }
}

//! The forwarder: one thread that follows the log and writes it to InfluxDB, in order and again until it is answered. It is never
//! ahead of the oldest reader's view, so a reader finds nothing in InfluxDB that its view of the head does not know of.
//!
//! Invariants: each lane has one request under way, and a group is forwarded when all its lanes are answered and all groups before it are.
//! A delete waits for all lanes, and all that follows it waits for the delete. What is forwarded twice has the same values in the same
//! order, so the end is the same. What was given up without an answer may be done later than what is sent after
//! it, so nothing is sent after it for a while (`SETTLE`).

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::InfluxStore;
use super::client::{self, Failed};
use super::group::{Body, Group, Heads, LANES};
use super::line::{self, Form};
use super::progress::{Backlog, Progress};
use super::retry::{self, Waits};
use super::wait;
use crate::clock::{Clock, NS_PER_SEC};
use crate::head::Head;
use crate::log::reader::FileLogReader;
use crate::log::tail::{After, Tail};
use crate::log::{LogRead as _, ReadError};
use crate::model::{Commit, Delete, Position, TimeNs};
use crate::series::SeriesTable;

/// A reader's view holds the forwarder up for so long. What takes longer may see readings that came later than it began.
const VIEW_PATIENCE: Duration = Duration::from_secs(10);
/// Readings that are sent together, in four requests: bodies of 20,000 lines cost InfluxDB less than smaller ones.
const GROUP_READINGS: usize = 80_000;
/// Groups of which something is under way, so that no lane waits for the slowest.
const FLIGHTS: usize = 2;
/// How long what a start, or a request that was given up, may have left under way in InfluxDB is let come to its end.
const SETTLE: Duration = Duration::from_secs(2);
/// Between two looks for commits when nothing wakes it.
const IDLE: Duration = Duration::from_millis(20);
/// Between two attempts, doubled from the first to the last.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often it is noted on disk how far it came.
const NOTE: Duration = Duration::from_secs(2);
const NOTED: &str = "forwarded";

#[derive(Debug)]
pub struct Parts {
    pub store: Arc<InfluxStore>,
    pub head: Arc<Head>,
    pub tail: Arc<Tail>,
    pub log: Arc<FileLogReader>,
    pub series: Arc<SeriesTable>,
    pub clock: Clock,
}

/// The running thread. Dropped, it ends after the request under way.
#[derive(Debug)]
pub struct Forwarder {
    progress: Arc<Progress>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Forwarder {
    pub fn start(parts: Parts) -> io::Result<Self> {
        let progress = Arc::clone(&parts.store.progress);
        // Never ahead of what the log has: what comes there later would not be forwarded.
        progress.start_at(noted(&parts.store.dir, parts.log.epoch()).min(parts.head.position()));
        progress.date_away(parts.clock.now());
        // What the bucket keeps was learnt before there was a clock.
        parts.store.floors.set_now(parts.clock.now());
        parts.store.follow(&parts.log);
        let taken = progress.forwarded();
        let run = Run {
            heads: Heads::new(&parts.store.names),
            noted_at: Instant::now(),
            taken,
            flights: VecDeque::new(),
            lanes: Default::default(),
            parts,
        };
        let thread = std::thread::Builder::new().name("forwarder".to_owned()).spawn(move || run.run())?;
        Ok(Self { progress, thread: Mutex::new(Some(thread)) })
    }

    /// Forwards what is there if InfluxDB takes it in time; the next start does the rest.
    pub fn stop(&self, last: Position, at_most: Duration) {
        self.progress.wait_for(last, at_most);
        self.end();
    }

    fn end(&self) {
        self.progress.stop();
        if let Some(thread) = self.thread.lock().take() {
            drop(thread.join());
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.end();
    }
}

/// How the rows of this data directory are named, which is noted with the place. Error: a form that this program does not know.
pub(super) fn form(dir: &Path) -> Result<Form, u64> {
    let text = fs::read_to_string(dir.join(NOTED)).unwrap_or_default();
    let words: Vec<_> = text.split_whitespace().map(str::parse::<u64>).collect();
    match words[..] {
        // The first builds knew one.
        [Ok(_), Ok(_)] => Ok(Form::Long),
        [Ok(_), Ok(_), Ok(noted), ..] => Form::ALL.into_iter().find(|form| *form as u64 == noted).ok_or(noted),
        // Nothing was written yet.
        _ => Ok(Form::NEWEST),
    }
}

/// Where a start goes on: `DATA/influx/forwarded`. What cannot be read is 0, so that the log is forwarded again.
fn noted(dir: &Path, epoch: u64) -> Position {
    let text = fs::read_to_string(dir.join(NOTED)).unwrap_or_default();
    let mut words = text.split_whitespace().map(str::parse::<u64>);
    match (words.next(), words.next()) {
        (Some(Ok(of)), Some(Ok(position))) if of == epoch => Position(position),
        _ => Position(0),
    }
}

pub(super) fn note(dir: &Path, epoch: u64, position: Position, form: Form) -> io::Result<()> {
    let new = dir.join("forwarded.new");
    let mut file = fs::File::create(&new)?;
    writeln!(file, "{epoch} {} {}", position.0, form as u64)?;
    file.sync_data()?;
    fs::rename(&new, dir.join(NOTED))
}

struct Run {
    parts: Parts,
    heads: Heads,
    noted_at: Instant,
    /// Up to here commits were read; those that are not forwarded yet are in flight.
    taken: Position,
    flights: VecDeque<Flight>,
    /// Resolve when what was sent last on each lane is answered.
    lanes: [Option<oneshot::Receiver<()>>; LANES],
}

/// A group that was sent and is not known to be answered.
struct Flight {
    up_to: Position,
    readings: usize,
    /// It has deletes.
    is_alone: bool,
    since: TimeNs,
    done: oneshot::Receiver<Result<(), Stopped>>,
}

impl Run {
    fn run(mut self) {
        let progress = Arc::clone(&self.parts.store.progress);
        if self.parts.head.position() > Position(0) {
            self.let_settle();
        }
        while !progress.is_stopping() {
            let until = self.limit();
            if until > self.taken {
                self.forward(self.taken, until);
            } else if !self.land() {
                progress.pause(IDLE);
            }
            self.note_if_due(NOTE);
        }
        self.land_all();
        self.note_if_due(Duration::ZERO);
    }

    /// What the run before sent and did not see answered may still be under way in InfluxDB.
    fn let_settle(&self) {
        let Parts { store, clock, .. } = &self.parts;
        let way = Way { store: Arc::clone(store), clock: clock.clone() };
        // Only the end of the hub breaks it off.
        let _stopped = store.worker.run(async move {
            let _healthy = way.until_answered(|| way.store.client.health()).await?;
            way.settle().await
        });
    }

    /// What no reader's view is behind of.
    fn limit(&self) -> Position {
        let newest = self.parts.head.position();
        self.parts.head.pins().oldest_view(VIEW_PATIENCE).map_or(newest, |oldest| oldest.min(newest))
    }

    fn forward(&mut self, after: Position, until: Position) {
        match self.parts.tail.after(after, until) {
            After::Commits(commits) => {
                let mut group = Group::new(after);
                for commit in commits {
                    self.take(&mut group, commit);
                }
                self.send(group);
            }
            After::Gone => self.forward_from_log(after, until),
        }
    }

    /// A segment at a time: it is read as a whole.
    fn forward_from_log(&mut self, after: Position, until: Position) {
        let log = Arc::clone(&self.parts.log);
        let until = log.end_of_segment(after).min(until);
        let (mut group, mut lost, mut wall) = (Group::new(after), Vec::new(), TimeNs::MIN);
        let store = Arc::clone(&self.parts.store);
        let read = log.read_around(after, until, &mut |found| match found {
            Ok(commit) => {
                lost.drain(..).for_each(|lost| store.aside.keep_unreadable(&lost, (wall, commit.wall)));
                wall = commit.wall;
                self.take(&mut group, Arc::new(commit));
            }
            Err(unreadable) => lost.push(unreadable),
        });
        match read {
            Ok(()) => {
                lost.iter().for_each(|lost| store.aside.keep_unreadable(lost, (wall, self.parts.clock.now())));
                group.up_to = until;
                self.send(group);
            }
            // It went since it was forwarded before.
            Err(ReadError::Gone { oldest, .. }) => {
                self.land_all();
                self.taken = Position(oldest.0.saturating_sub(1));
                self.parts.store.progress.advance(self.taken);
            }
            Err(error) => {
                let why = format!("the log cannot be read to be forwarded: {error}");
                tracing::error!(%error, "the log cannot be forwarded");
                self.parts.store.progress.set_away(&why, self.parts.clock.now());
                self.parts.store.progress.pause(AGAIN.1);
            }
        }
    }

    fn take(&mut self, group: &mut Group, commit: Arc<Commit>) {
        if !group.may_take(&commit, GROUP_READINGS) {
            let next = Group::new(group.up_to);
            self.send(std::mem::replace(group, next));
        }
        group.take(commit);
    }

    /// When there is room for one more under way. What is not sent is read again, and what follows it too.
    fn send(&mut self, group: Group) {
        let Parts { store, series, clock, .. } = &self.parts;
        let Group { after, up_to, readings, .. } = group;
        if up_to == after || store.progress.is_stopping() {
            return;
        }
        let (deletes, bodies) = group.into_parts(&mut self.heads, series, &store.spare);
        let (store, series, since) = (Arc::clone(store), Arc::clone(series), clock.now());
        let way = Way { store: Arc::clone(&store), clock: clock.clone() };
        let is_alone = !deletes.is_empty();
        let most = if is_alone || self.flights.back().is_some_and(|flight| flight.is_alone) { 0 } else { FLIGHTS - 1 };
        while self.flights.len() > most {
            self.land();
        }
        // Something was broken off meanwhile.
        if self.taken != after {
            return;
        }
        if self.flights.is_empty() {
            store.progress.sends(since);
        }
        let bodies: Vec<_> = bodies.into_iter().map(|(number, body)| self.queue(number, body)).collect();
        let (tell, done) = oneshot::channel();
        store.worker.spawn(async move {
            // Nobody listens any more when the hub ends.
            drop(tell.send(way.send(&series, deletes, bodies).await));
        });
        self.taken = up_to;
        self.flights.push_back(Flight { up_to, readings, is_alone, since, done });
    }

    /// A body behind the one before it on its lane.
    fn queue(&mut self, lane: usize, body: Body) -> Queued {
        let (done, is_done) = oneshot::channel();
        Queued { before: self.lanes[lane].replace(is_done), body, done }
    }

    /// Waits for the oldest that is under way. False: there is none, or it was broken off, and all of them are read again.
    fn land(&mut self) -> bool {
        let Some(Flight { up_to, readings, done, .. }) = self.flights.pop_front() else { return false };
        let (progress, is_answered) = (&self.parts.store.progress, matches!(wait::wait(done), Ok(Ok(()))));
        if is_answered {
            progress.advance(up_to);
            self.parts.store.forwarded_readings.add(readings as u64);
            if let Some(next) = self.flights.front() {
                progress.sends(next.since);
            }
        } else {
            for flight in self.flights.drain(..) {
                let _ended = wait::wait(flight.done);
            }
            self.lanes = Default::default();
            self.taken = progress.forwarded();
        }
        is_answered
    }

    fn land_all(&mut self) {
        while self.land() {}
    }

    fn note_if_due(&mut self, every: Duration) {
        let store = &self.parts.store;
        let forwarded = store.progress.forwarded();
        if forwarded <= store.progress.noted() || self.noted_at.elapsed() < every {
            return;
        }
        self.noted_at = Instant::now();
        match note(&store.dir, self.parts.log.epoch(), forwarded, store.names.form) {
            Ok(()) => store.progress.note(forwarded),
            Err(error) => tracing::warn!(%error, "how far the log was forwarded is not noted; it is tried again"),
        }
    }
}

/// The hub stops before it was answered.
#[derive(Debug)]
struct Stopped;

/// A body that waits for its lane.
struct Queued {
    before: Option<oneshot::Receiver<()>>,
    body: Body,
    done: oneshot::Sender<()>,
}

/// One request after the other, each until it is answered.
struct Way {
    store: Arc<InfluxStore>,
    clock: Clock,
}

impl Way {
    /// Until all of it is answered.
    async fn send(&self, series: &SeriesTable, deletes: Vec<Delete>, bodies: Vec<Queued>) -> Result<(), Stopped> {
        for delete in deletes {
            self.delete(series, delete).await?;
        }
        join_all(bodies.into_iter().map(|queued| self.in_turn(queued))).await.into_iter().collect()
    }

    async fn in_turn(&self, Queued { before, body, done }: Queued) -> Result<(), Stopped> {
        if let Some(before) = before {
            before.await.map_err(|_broken_off| Stopped)?;
        }
        self.deliver(&body).await?;
        self.store.spare.give(body);
        // Nothing may come behind it.
        let _next = done.send(());
        Ok(())
    }

    /// What has expired is let go of; another row that is refused is set aside.
    async fn deliver(&self, body: &Body) -> Result<(), Stopped> {
        let rest = |body: &Body, why: &str| self.store.without_expired(body, why);
        retry::deliver(
            body,
            |bytes| self.write(bytes),
            rest,
            |row, why| {
                self.store.aside.keep(row, &why);
                Ok(())
            },
        )
        .await
    }

    /// Perhaps the bucket keeps less than when it was asked last.
    async fn write(&self, bytes: Bytes) -> Result<Result<(), String>, Stopped> {
        let done = self.until_answered(|| self.store.client.write(bytes.clone())).await?;
        if done.as_ref().is_err_and(|why| client::keeps_from(why).is_some())
            && let Err(error) = super::learn(&self.store.client, &self.store.floors).await
        {
            tracing::debug!(%error, "what the bucket keeps could not be asked for");
        }
        Ok(done)
    }

    async fn delete(&self, series: &SeriesTable, delete: Delete) -> Result<(), Stopped> {
        let Some(metric) = series.by_id(delete.series).map(|series| line::measurement(&series.key.metric)) else { return Ok(()) };
        let Delete { series, from, to } = delete;
        let named = (&self.store.names, series);
        let done = self.until_answered(|| self.store.client.delete(&metric, named, (from, to))).await?;
        if let Err(why) = done {
            tracing::error!(series = series.0, from, to, %why, "InfluxDB refuses a delete; its readings stay there");
        }
        Ok(())
    }

    /// Inside: it will not be taken, and why.
    async fn until_answered<F: Future<Output = Result<(), Failed>>>(&self, request: impl Fn() -> F) -> Result<Result<(), String>, Stopped> {
        let (progress, mut waits, mut is_open) = (&self.store.progress, Waits::new(AGAIN.0, AGAIN.1), false);
        let answer = loop {
            let done = tokio::select! {
                done = self.patient(request()) => done,
                // What is under way may be done or not; the next start does it again.
                () = progress.stopped() => return Err(Stopped),
            };
            match done {
                Ok(()) => break Ok(()),
                Err(Failed::Refused(why)) => break Err(why),
                Err(failed) => {
                    is_open |= matches!(failed, Failed::Open(_));
                    self.tell_away(&failed.why());
                }
            }
            self.pause(waits.next()).await?;
        };
        if let Some(away) = progress.answered() {
            let backlog_bytes = self.store.backlog().bytes;
            tracing::info!(away_s = self.seconds_since(away.since), backlog_bytes, "InfluxDB answers again");
        }
        if is_open {
            self.settle().await?;
        }
        Ok(answer)
    }

    /// A request that is not answered in time is told, but waited for as long as its connection stands: sent again while InfluxDB still
    /// has it, it might be done twice, the second time after what follows it.
    async fn patient<T>(&self, request: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let mut request = pin!(request);
        let patience = self.store.config.timeout;
        if let Ok(done) = tokio::time::timeout(patience, request.as_mut()).await {
            return done;
        }
        self.tell_away(&format!("InfluxDB at {} has not answered for {} s", self.store.config.url, patience.as_secs()));
        request.await
    }

    fn tell_away(&self, why: &str) {
        if self.store.progress.set_away(why, self.clock.now()) {
            let Backlog { bytes: backlog_bytes, since } = self.store.backlog();
            let backlog_s = since.map_or(0, |since| self.seconds_since(since));
            tracing::warn!(%why, backlog_bytes, backlog_s, "InfluxDB takes nothing; readings are acked as before and kept in the log");
        }
    }

    fn seconds_since(&self, time: TimeNs) -> i64 {
        self.clock.now().saturating_sub(time) / NS_PER_SEC
    }

    async fn settle(&self) -> Result<(), Stopped> {
        self.pause(SETTLE).await
    }

    async fn pause(&self, time: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.store.progress.stopped() => Err(Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_noted_with_the_form_of_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(form(dir.path()), Ok(Form::NEWEST), "nothing was written yet");
        for kept in Form::ALL {
            note(dir.path(), 7, Position(9), kept).unwrap();
            assert_eq!([7, 8].map(|epoch| noted(dir.path(), epoch)), [Position(9), Position(0)]);
            assert_eq!(form(dir.path()), Ok(kept));
        }
        let rows = [("7 9\n", Ok(Form::Long)), ("7 9 3\n", Err(3)), ("7 9 0\n", Err(0)), ("7", Ok(Form::NEWEST)), ("", Ok(Form::NEWEST))];
        for (text, expected) in rows {
            fs::write(dir.path().join(NOTED), text).unwrap();
            assert_eq!(form(dir.path()), expected, "{text:?}");
        }
    }
}

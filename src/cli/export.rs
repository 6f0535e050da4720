//! `telltale export`: every reading of a selection, into a file or to stdout. A file appears under its name when it is whole: until then
//! it is `FILE.part`, and what was cut off begins anew.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use clap::Args;
use memchr::memchr_iter;
use url::form_urlencoded::Serializer;

use super::client::{Cut, Head};
use super::task::Bar;
use super::{Exit, Failure, Place, client, offline, print, task};
use crate::auth::access::Scope;
use crate::http::export::{Wish, plan, readings, write};
use crate::rows::RowFormat;
#[cfg(feature = "parquet")]
use crate::rows::parquet::Passing;

#[derive(Args, Debug)]
pub(super) struct Export {
    /// Which series, such as 'pump-*/*'; may be given several times
    #[arg(long, value_name = "SELECTOR", required = true)]
    select: Vec<String>,
    /// Since when: RFC 3339, '-30d', or an epoch with its unit such as '1795396030s' [default: the first reading]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until when [default: the last reading]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// csv, ndjson, lp (line protocol) or parquet [default: by the file's name, else csv]
    #[arg(long)]
    format: Option<String>,
    /// Where to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave out what cannot be read for damage, and say what that was
    #[arg(long)]
    skip_damaged: bool,
    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let dir = self.place.data_dir()?;
        let Self { select, from, to, format, output, skip_damaged, place } = self;
        let format = format_of(format.as_deref(), output.as_deref())?.unwrap_or(RowFormat::Csv);
        let wish = Wish { select, from, to, format, skip_damaged };
        let Some(file) = output else {
            let (out, is_gone) = Pipe::to_stdout();
            return match fetch(&dir, &place, wish, out) {
                Err(_) if is_gone.load(Relaxed) => Ok(()),
                done => done.map(drop),
            };
        };
        let part = beside(&file, ".part");
        let named = |error: io::Error| Failure::new(Exit::Failed, format!("{}: {error}", part.display()));
        let (written, out) = fetch(&dir, &place, wish, BufWriter::new(File::create(&part).map_err(named)?))?;
        let out = out.into_inner().map_err(|error| named(error.into_error()))?;
        // On disk before it has its name: what has the name is whole.
        out.sync_all().map_err(named)?;
        std::fs::rename(&part, &file).map_err(named)?;
        print(format_args!("{written} readings in {}", file.display()))
    }
}

/// Stdout, of which it is noted that nobody reads it any more: a reader that has seen enough (`| head`) is no failure.
struct Pipe {
    out: Stdout,
    is_gone: Arc<AtomicBool>,
}

impl Pipe {
    fn to_stdout() -> (Self, Arc<AtomicBool>) {
        let is_gone = Arc::new(AtomicBool::new(false));
        (Self { out: io::stdout(), is_gone: Arc::clone(&is_gone) }, is_gone)
    }

    fn noting<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| self.is_gone.store(error.kind() == ErrorKind::BrokenPipe, Relaxed))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.noting(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.noting(done)
    }
}

/// As it was said, or by the end of the file's name.
pub(super) fn format_of(format: Option<&str>, file: Option<&Path>) -> Result<Option<RowFormat>, Failure> {
    match format {
        Some(text) => RowFormat::parse(text).map(Some).map_err(|error| Failure::new(Exit::Configuration, format!("--{error}"))),
        None => Ok(file.and_then(|file| RowFormat::of_extension(file.extension()?.to_str()?))),
    }
}

/// The same file with a longer name.
pub(super) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name: OsString = file.into();
    name.push(end);
    name.into()
}

/// From the running hub, or else out of its data. How many readings there are, and where they were written to.
fn fetch<W: Write + Send + 'static>(dir: &Path, place: &Place, wish: Wish, out: W) -> Result<(u64, W), Failure> {
    let mut out = Counted { out, rows: Rows::of(wish.format), bar: Bar::of_readings() };
    let path = format!("/api/v1/export?{}", query(&wish));
    let (total, left_out) = (Cell::new(0), RefCell::new(Vec::new()));
    if offline::is_running(dir) {
        let mut begin = |head: Head| {
            total.set(head.readings);
            left_out.replace(head.left_out);
        };
        // To know its damage before it begins, all of it is read.
        let patience = if wish.skip_damaged { None } else { Some(client::LONG_PATIENCE) };
        let done = client::download(dir, &path, patience, &mut begin, &mut |bytes| out.write(bytes, total.get()));
        let asks = !wish.skip_damaged;
        if done.map_err(|cut| why(dir, &path, cut, asks))?.is_some() {
            tell(&left_out.take())?;
            return out.finish(total.get());
        }
    }
    task::must_be_data(dir)?;
    offline::with_hub(place, async |hub| {
        let work = move || {
            let (format, skip_damaged) = (wish.format, wish.skip_damaged);
            let plan = plan(&hub, &wish, &Scope::default(), &|| true).map_err(|error| Failure::refused(&error))?;
            let total = readings(&plan) as u64;
            let mut unwritten = None;
            let mut sink = |chunk: Vec<u8>| match out.write(&chunk, total) {
                Ok(()) => true,
                Err(failure) => {
                    unwritten = Some(failure);
                    false
                }
            };
            let left_out = plan.damaged();
            let done = write(&plan, format, skip_damaged.then_some(&*left_out), &mut sink);
            done.map_err(|error| unwritten.unwrap_or_else(|| Failure::of(&error)))?;
            tell(&left_out)?;
            drop(plan);
            drop(hub);
            out.finish(total)
        };
        // The store may wait for others, which only a thread of its own may do.
        tokio::task::spawn_blocking(work).await.map_err(|error| Failure::of(&error))?
    })
}

/// An answer that broke off cannot say why. What the hub found meanwhile, it refuses the same question for; unless that question is one
/// that it reads everything for.
fn why(dir: &Path, path: &str, cut: Cut, asks: bool) -> Failure {
    let broken = match cut {
        Cut::Off(broken) if asks => broken,
        Cut::Off(failure) | Cut::Failed(failure) => return failure,
    };
    let (is_begun, stop) = (Cell::new(false), || Failure::new(Exit::Failed, String::new()));
    match client::download(dir, path, Some(client::LONG_PATIENCE), &mut |_| is_begun.set(true), &mut |_| Err(stop())) {
        Err(Cut::Failed(refused)) if !is_begun.get() => refused,
        _ => broken,
    }
}

/// On stderr, since the export itself may go to stdout.
fn tell(left_out: &[String]) -> Result<(), Failure> {
    let mut stderr = io::stderr().lock();
    left_out.iter().try_for_each(|place| writeln!(stderr, "left out: {place}")).map_err(|error| failed(&error))
}

/// Shows how far it is.
struct Counted<W> {
    out: W,
    rows: Rows,
    bar: Bar,
}

/// How many readings have gone by, counted in the bytes.
enum Rows {
    /// A text may hold several: then the bar is a little ahead.
    Lines(u64),
    #[cfg(feature = "parquet")]
    Pages(Passing),
}

impl Rows {
    fn of(format: RowFormat) -> Self {
        match format {
            RowFormat::Csv | RowFormat::Ndjson | RowFormat::Lines => Self::Lines(0),
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => Self::Pages(Passing::default()),
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> u64 {
        match self {
            Self::Lines(lines) => {
                *lines += memchr_iter(b'\n', bytes).count() as u64;
                *lines
            }
            #[cfg(feature = "parquet")]
            Self::Pages(passing) => {
                passing.pass(bytes);
                passing.rows()
            }
        }
    }
}

impl<W: Write> Counted<W> {
    fn write(&mut self, bytes: &[u8], total: u64) -> Result<(), Failure> {
        self.bar.show(self.rows.pass(bytes).min(total), total);
        self.out.write_all(bytes).map_err(|error| failed(&error))
    }

    fn finish(mut self, total: u64) -> Result<(u64, W), Failure> {
        self.out.flush().map_err(|error| failed(&error))?;
        Ok((total, self.out))
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the export cannot be written: {error}"))
}

fn query(wish: &Wish) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(wish.select.iter().map(|select| ("select", select)));
    query.extend_pairs(wish.from.iter().map(|from| ("from", from)));
    query.extend_pairs(wish.to.iter().map(|to| ("to", to)));
    query.append_pair("format", wish.format.as_str());
    if wish.skip_damaged {
        query.append_pair("skip_damaged", "true");
    }
    query.finish()
}

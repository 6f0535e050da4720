//! One REST request to the running hub over `DATA/hub.sock`. HTTP/1.0, so that the answer is one piece that ends with the
//! connection: a local command needs no more of HTTP. But for a download, whose end has to be told from a broken connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Exit, Failure};
use crate::http::export::{LEFT_OUT, READINGS};
use crate::http::local;

/// The hub is on this machine; one that does not answer for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// A task may be silent while SQLite looks at one large file.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(600);
const MOST_BYTES: u64 = 64 << 20;

/// The answer's JSON (null where it is empty), or what the hub refused.
pub(super) fn ask(data_dir: &Path, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    ask_within(PATIENCE, data_dir, method, path, body)
}

/// For what takes as long as there is history.
pub(super) fn ask_patiently(data_dir: &Path, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    ask_within(LONG_PATIENCE, data_dir, method, path, body)
}

fn ask_within(patience: Duration, data_dir: &Path, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    let Some(stream) = connect(data_dir, patience)? else {
        let dir = data_dir.display();
        return Err(Failure::new(Exit::Failed, format!("no hub runs on {dir}; start one with `telltale serve --data-dir {dir}`")));
    };
    exchange(stream, data_dir, &request(method, path, body))
}

/// A POST whose body is no JSON. None: no hub runs.
pub(super) fn send(data_dir: &Path, path: &str, body: &[u8]) -> Result<Option<Value>, Failure> {
    let Some(stream) = connect(data_dir, LONG_PATIENCE)? else { return Ok(None) };
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    exchange(stream, data_dir, &[head.as_bytes(), body].concat()).map(Some)
}

fn exchange(mut stream: UnixStream, data_dir: &Path, request: &[u8]) -> Result<Value, Failure> {
    // A hub that refuses a body answers before it has read it.
    let sent = stream.write_all(request);
    let mut answer = Vec::new();
    let whole = stream.take(MOST_BYTES).read_to_end(&mut answer).and(sent);
    if answer.is_empty() {
        whole.map_err(silent(data_dir))?;
    }
    read(&answer).unwrap_or_else(|| Err(no_json(data_dir)))
}

/// What is said of a download before its first byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) readings: u64,
    pub(super) left_out: Vec<String>,
}

/// Why a download was not whole.
#[derive(Debug)]
pub(super) enum Cut {
    /// Refused, not answered in time, or not taken here.
    Failed(Failure),
    /// The hub broke off what it had begun.
    Off(Failure),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a GET answers, whole or an error. `patience` is for its head (None: as long as the hub runs); `begin` is told what that says.
/// None: no hub runs.
pub(super) fn download(
    data_dir: &Path,
    path: &str,
    patience: Option<Duration>,
    begin: &mut dyn FnMut(Head),
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Option<()>, Cut> {
    let Some(mut stream) = connect(data_dir, LONG_PATIENCE)? else { return Ok(None) };
    stream.set_read_timeout(patience).map_err(silent(data_dir))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(silent(data_dir))?;
    let mut answer = BufReader::new(stream);
    begin(begun(&mut answer, data_dir)?);
    answer.get_ref().set_read_timeout(Some(LONG_PATIENCE)).map_err(silent(data_dir))?;
    while let Some(mut left) = chunk(&mut answer).map_err(|error| cut(data_dir, error))? {
        while left > 0 {
            let bytes = answer.fill_buf().map_err(|error| cut(data_dir, error))?;
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if taken == 0 {
                return Err(cut(data_dir, io::Error::new(ErrorKind::UnexpectedEof, "its connection ended")));
            }
            sink(&bytes[..taken])?;
            answer.consume(taken);
            left -= taken as u64;
        }
    }
    Ok(Some(()))
}

/// The head of an answer that begins, or what the hub refused.
fn begun(answer: &mut BufReader<UnixStream>, data_dir: &Path) -> Result<Head, Failure> {
    let mut head = head(answer, data_dir)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(&head).map_err(|_| no_json(data_dir))?;
    if !parsed.is_complete() || response.code != Some(200) {
        answer.take(MOST_BYTES).read_to_end(&mut head).map_err(silent(data_dir))?;
        return Err(read(&head).and_then(Result::err).unwrap_or_else(|| no_json(data_dir)));
    }
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let readings = header(READINGS.as_str()).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let left_out = header(LEFT_OUT.as_str()).and_then(|value| serde_json::from_slice(value).ok());
    Ok(Head { readings: readings.unwrap_or_default(), left_out: left_out.unwrap_or_default() })
}

/// A hub that says nothing more is not asked again.
fn cut(data_dir: &Path, error: io::Error) -> Cut {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        return Cut::Failed(silent(data_dir)(error));
    }
    Cut::Off(Failure::new(Exit::Failed, format!("the hub broke off its answer, and its log says why: {error}")))
}

/// The size of the chunk that follows; None: the last was it.
fn chunk(answer: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    // The end of the chunk before.
    while matches!(&*line, b"" | b"\r\n") {
        line.clear();
        if answer.by_ref().take(1 << 10).read_until(b'\n', &mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    match httparse::parse_chunk_size(&line) {
        Ok(httparse::Status::Complete((_, size))) => Ok((size > 0).then_some(size)),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "no chunk begins here")),
    }
}

/// The head of an answer, with the blank line after it.
fn head(answer: &mut impl BufRead, data_dir: &Path) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if answer.read_until(b'\n', &mut head).map_err(silent(data_dir))? == 0 {
            return Err(no_json(data_dir));
        }
    }
    Ok(head)
}

/// Starts a task by POST and tells its progress until it answers. None: no hub runs.
pub(super) fn follow(
    data_dir: &Path,
    path: &str,
    body: Option<&Value>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Value>, Failure> {
    let Some(mut stream) = connect(data_dir, LONG_PATIENCE)? else { return Ok(None) };
    stream.write_all(&request("POST", path, body)).map_err(silent(data_dir))?;
    let mut lines = BufReader::new(stream.take(MOST_BYTES));
    let mut head = head(&mut lines, data_dir)?;
    if !head.starts_with(b"HTTP/1.0 200 ") && !head.starts_with(b"HTTP/1.1 200 ") {
        lines.read_to_end(&mut head).map_err(silent(data_dir))?;
        return read(&head).unwrap_or_else(|| Err(no_json(data_dir))).map(Some);
    }
    for line in lines.lines() {
        let line = line.map_err(silent(data_dir))?;
        let line: Value = serde_json::from_str(&line).map_err(|_| no_json(data_dir))?;
        if let Some((done, total)) = line["progress"][0].as_u64().zip(line["progress"][1].as_u64()) {
            progress(done, total);
        } else if let Some(answer) = line.get("answer") {
            return Ok(Some(answer.clone()));
        } else {
            return Err(refusal(&line).unwrap_or_else(|| no_json(data_dir)));
        }
    }
    Err(Failure::new(Exit::Failed, "the hub ended before it answered"))
}

fn connect(data_dir: &Path, patience: Duration) -> Result<Option<UnixStream>, Failure> {
    let socket = local::path(data_dir);
    let stream = match local::connect(data_dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        other => other.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", socket.display())))?,
    };
    stream.set_read_timeout(Some(patience)).map_err(silent(data_dir))?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(silent(data_dir))?;
    Ok(Some(stream))
}

fn silent(data_dir: &Path) -> impl Fn(std::io::Error) -> Failure {
    let socket = local::path(data_dir);
    move |error| Failure::new(Exit::Failed, format!("{}: the hub does not answer: {error}", socket.display()))
}

fn no_json(data_dir: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("{}: the answer is not HTTP with JSON", local::path(data_dir).display()))
}

fn request(method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map_or_else(String::new, Value::to_string);
    let length = body.len();
    format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// None: not an answer that can be read.
fn read(answer: &[u8]) -> Option<Result<Value, Failure>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).ok()? else {
        return None;
    };
    let status = response.code?;
    let body = &answer[head..];
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).ok()? };
    if (200..300).contains(&status) {
        return Some(Ok(json));
    }
    Some(Err(refusal(&json)?))
}

fn refusal(json: &Value) -> Option<Failure> {
    let error = &json["error"];
    let hint = error["hint"].as_str().map_or_else(String::new, |hint| format!(" ({hint})"));
    Some(Failure::new(Exit::Failed, format!("{}{hint}", error["message"].as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_json_or_the_hubs_refusal() {
        let read = |text: &str| read(text.as_bytes()).map(|answer| answer.map_err(|failure| failure.message));
        assert_eq!(read("HTTP/1.0 201 Created\r\nx: y\r\n\r\n{\"a\":1}"), Some(Ok(serde_json::json!({"a": 1}))));
        assert_eq!(read("HTTP/1.0 204 No Content\r\n\r\n"), Some(Ok(Value::Null)));
        let refusal = "HTTP/1.0 400 Bad Request\r\n\r\n{\"error\":{\"code\":\"c\",\"message\":\"m\",\"hint\":\"h\"}}";
        assert_eq!(read(refusal), Some(Err("m (h)".to_owned())));
        assert_eq!(read("HTTP/1.0 200 OK\r\n"), None);
        assert_eq!(read("HTTP/1.0 200 OK\r\n\r\n<html>"), None);
    }

    #[test]
    fn chunks_are_told_apart_and_an_end_is_no_break() {
        let all = |text: &str| -> io::Result<String> {
            let (mut answer, mut all) = (text.as_bytes(), String::new());
            while let Some(size) = chunk(&mut answer)? {
                answer.by_ref().take(size).read_to_string(&mut all)?;
            }
            Ok(all)
        };
        assert_eq!(all("5\r\na\r\nbc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap(), "a\r\nbcde");
        assert_eq!(all("1\r\na\r\n").unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(all("1\r\na\r\nno\r\n").unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

//! A hub in a hundred lines: keeps readings in a map, checks the rules of `telltale.v1`, and misbehaves as its script says.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use telltale_wire::{
    Ack, AgentFrame, Batch, BatchCode, Closing, Code, ColumnBuf, HubFrame, Limits, Places, Rejected, Retry, RowCode, SUBPROTOCOL, SlowDown,
    Value, Welcome,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// What the hub does with a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Ack,
    /// Stores it and says nothing: a later ack covers it.
    Later,
    /// Stores it and hangs up before the ack.
    StoreAndCut,
    /// Hangs up before it is stored.
    Cut,
    Retry,
    SlowDown,
    /// Says `closing` and a close frame.
    Close,
    /// Refuses its readings at even times, to be sent again.
    RefuseEven,
    /// The same, and hangs up before it says so.
    RefuseEvenAndCut,
    /// Refuses all of it for good.
    RefuseAll,
}

/// Device, metric, labels, time.
pub(crate) type Key = (String, String, Vec<(String, String)>, i64);

/// Device, metric, labels.
type Names = (String, String, Vec<(String, String)>);

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) stored: BTreeMap<Key, String>,
    /// Times at which a value came that was there already.
    pub(crate) duplicates: u64,
    /// By boot id: the last batch that is durable.
    pub(crate) durable: HashMap<u64, u64>,
    pub(crate) connections: u32,
    /// In the order of arrival: sequence number and first time of each batch that was stored.
    pub(crate) batches: Vec<(u64, i64)>,
    /// Broken rules. A test ends with none.
    pub(crate) broken: Vec<String>,
}

pub(crate) struct FakeHub {
    pub(crate) address: SocketAddr,
    books: Arc<Mutex<Books>>,
    task: tokio::task::JoinHandle<()>,
}

type NextMood = Arc<Mutex<dyn FnMut() -> Mood + Send>>;

impl FakeHub {
    pub(crate) async fn start(limits: Limits, moods: impl FnMut() -> Mood + Send + 'static) -> FakeHub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let books = Arc::new(Mutex::new(Books::default()));
        let moods: NextMood = Arc::new(Mutex::new(moods));
        let shared = Arc::clone(&books);
        let task = tokio::spawn(async move {
            // One agent: its next connection comes when the last one is over, as a hub closes the older of two.
            while let Ok((tcp, _)) = listener.accept().await {
                Connection::serve(tcp, limits, Arc::clone(&shared), Arc::clone(&moods)).await;
            }
        });
        FakeHub { address, books, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            assert_eq!(self.books().broken, Vec::<String>::new(), "rules of telltale.v1 were broken");
        }
    }
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
    limits: Limits,
    books: Arc<Mutex<Books>>,
    moods: NextMood,
    boot: u64,
    aliases: HashMap<u32, Names>,
    last_seq: Option<u64>,
    /// Asked for again: all from here on is not taken.
    wanted: Option<u64>,
    stored: u64,
    duplicate: u64,
    /// Stored, and not acked before the input runs dry.
    unacked: Option<u64>,
}

/// What the hub's clock says: as wrong as can be. The client only tells of it.
const HUB_TIME_NS: i64 = i64::MIN;
/// A hub acks what it has when nothing more comes.
const DRY_AFTER: Duration = Duration::from_millis(10);

impl Connection {
    async fn serve(tcp: TcpStream, limits: Limits, books: Arc<Mutex<Books>>, moods: NextMood) {
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let choose = |_: &Request, mut response: Response| {
            response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
            Ok(response)
        };
        let Ok(socket) = tokio_tungstenite::accept_hdr_async(tcp, choose).await else { return };
        books.lock().unwrap().connections += 1;
        let mut connection = Connection {
            socket,
            limits,
            books,
            moods,
            boot: 0,
            aliases: HashMap::new(),
            last_seq: None,
            wanted: None,
            stored: 0,
            duplicate: 0,
            unacked: None,
        };
        loop {
            let message = match tokio::time::timeout(DRY_AFTER, connection.socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(_) => return,
                Err(_) => match connection.unacked.take() {
                    Some(seq) if connection.ack(seq, Vec::new()).await => continue,
                    Some(_) => return,
                    None => continue,
                },
            };
            if let Message::Binary(bytes) = message
                && !connection.frame(&bytes).await
            {
                return;
            }
        }
    }

    /// Whether the connection stays.
    async fn frame(&mut self, bytes: &[u8]) -> bool {
        match AgentFrame::parse(bytes, &self.limits) {
            Ok(AgentFrame::Hello(hello)) => {
                self.boot = hello.boot;
                let last_durable = self.books.lock().unwrap().durable.get(&hello.boot).copied();
                let limits = self.limits;
                self.say(HubFrame::Welcome(Welcome { limits, hub_time_ns: HUB_TIME_NS, last_durable, program: "fake" })).await
            }
            Ok(AgentFrame::Define(define)) => {
                for definition in define.definitions() {
                    let labels = definition.labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
                    let names = (definition.device.to_owned(), definition.metric.to_owned(), labels);
                    self.aliases.insert(definition.alias, names);
                }
                true
            }
            Ok(AgentFrame::Batch(batch)) => self.batch(&batch).await,
            Ok(AgentFrame::Goodbye(_)) => {
                self.say(HubFrame::Closing(Closing { code: 1000, reason: "bye", retry_after_ms: None })).await;
                drop(self.socket.close(None).await);
                true
            }
            Err(error) => {
                self.broken(format!("a frame that cannot be read: {error}"));
                false
            }
        }
    }

    async fn batch(&mut self, batch: &Batch<'_>) -> bool {
        let seq = batch.seq();
        if let Some(wanted) = self.wanted {
            if seq != wanted {
                return true; // sent before the retry was heard
            }
            self.wanted = None;
            self.last_seq = None;
        }
        if self.last_seq.is_some_and(|last| seq <= last) {
            self.broken(format!("batch {seq} after {:?}", self.last_seq));
        }
        self.last_seq = Some(seq);
        let mood = (self.moods.lock().unwrap())();
        match mood {
            Mood::Cut => return false,
            Mood::Retry => {
                self.wanted = Some(seq);
                let code = Code::Batch(BatchCode::DiskFull);
                return self.say(HubFrame::Retry(Retry { seq, after_ms: 5, code, message: "full" })).await;
            }
            Mood::Close => {
                let closing = Closing { code: 1001, reason: "draining", retry_after_ms: Some(1) };
                self.say(HubFrame::Closing(closing)).await;
                drop(self.socket.close(None).await);
                while self.socket.next().await.is_some() {}
                return false;
            }
            Mood::SlowDown => {
                self.say(HubFrame::SlowDown(SlowDown { after_ms: 5 })).await;
            }
            _ => {}
        }
        let refused = self.store(batch, mood);
        match mood {
            Mood::StoreAndCut | Mood::RefuseEvenAndCut => false,
            Mood::Later => {
                self.unacked = Some(seq);
                true
            }
            _ => self.ack(seq, refused).await,
        }
    }

    async fn ack(&mut self, seq: u64, refused: Vec<Places>) -> bool {
        let retry = refused.iter().all(|places| *places != Places::All);
        let code = if retry { RowCode::TimeAhead } else { RowCode::BadDevice };
        let rejected =
            refused.into_iter().map(|places| Rejected { seq, places, code: code.into(), retry, message: "refused by the test" }).collect();
        self.unacked = None;
        let (stored, duplicate) = (std::mem::take(&mut self.stored), std::mem::take(&mut self.duplicate));
        self.say(HubFrame::Ack(Ack { up_to: seq, stored, duplicate, rejected })).await
    }

    /// Stores what is not refused; gives the places of what is.
    fn store(&mut self, batch: &Batch<'_>, mood: Mood) -> Vec<Places> {
        let mut books = self.books.lock().unwrap();
        let durable = books.durable.entry(self.boot).or_default();
        *durable = batch.seq().max(*durable);
        if mood == Mood::RefuseAll {
            return vec![Places::All];
        }
        let (mut refused, mut times, mut buf, mut first) = (Vec::new(), Vec::new(), ColumnBuf::default(), None);
        for group in batch.groups() {
            group.times(&mut times).unwrap();
            for column in group.columns() {
                let Some((device, metric, labels)) = self.aliases.get(&column.alias()) else {
                    books.broken.push(format!("alias {} was not defined", column.alias()));
                    continue;
                };
                let rows: Vec<u32> = column.presence().rows().collect();
                let mut index = 0;
                column.decode_into(&mut buf).unwrap().for_each(|value| {
                    let time = times[rows[index] as usize];
                    let place = column.first_place() + u32::try_from(index).unwrap();
                    index += 1;
                    first.get_or_insert(time);
                    if matches!(mood, Mood::RefuseEven | Mood::RefuseEvenAndCut) && time % 2 == 0 {
                        return refused.push(Places::one(place));
                    }
                    let key = (device.clone(), metric.clone(), labels.clone(), time);
                    let known = books.stored.insert(key, print(&value));
                    if known.is_some() { self.duplicate += 1 } else { self.stored += 1 }
                });
            }
        }
        books.duplicates += self.duplicate;
        books.batches.push((batch.seq(), first.unwrap_or(0)));
        refused
    }

    async fn say(&mut self, frame: HubFrame<'_>) -> bool {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.socket.send(Message::Binary(bytes.into())).await.is_ok()
    }

    fn broken(&self, rule: String) {
        self.books.lock().unwrap().broken.push(rule);
    }
}

/// A value with its type, so that 1 and 1.0 differ.
pub(crate) fn print(value: &Value<'_>) -> String {
    format!("{value:?}")
}

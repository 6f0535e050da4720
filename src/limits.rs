//! Every bound of the hub, with a sentence on what happens at it. Those that a user may want to change are keys of
//! `config/hub.toml` whose defaults are these.

use std::time::Duration;

/// Largest WebSocket frame (and reassembled message) from an agent. Beyond: the connection is closed 1009 at the header.
pub const FRAME_BYTES: usize = 4 << 20;
/// Most readings in one batch or frame. Beyond: the frame is refused whole, `limit_batch`. In line protocol most fields of one line;
/// beyond, that line is refused in the same words.
pub const BATCH_READINGS: usize = 50_000;
/// Deepest nesting of MessagePack in a plain frame. Beyond: refused whole, `limit_depth`.
pub const NESTING: usize = 16;
/// Longest device id, metric name, label name, unit, in bytes. Beyond: that reading is refused, `limit_name`.
pub const NAME_BYTES: usize = 256;
/// Longest label value in bytes. Beyond: `limit_name`.
pub const LABEL_VALUE_BYTES: usize = 1024;
/// Most labels of one series. Beyond: `limit_labels`. And attributes of a device: beyond, an edit is refused, and what a hello adds is left
/// out.
pub const LABELS: usize = 32;
/// Longest note on a device in bytes. Beyond: the edit is refused `bad_parameter`.
pub const NOTE_BYTES: usize = 4096;
/// Longest text value in bytes. Beyond: `limit_text`.
pub const TEXT_BYTES: usize = 16 << 10;
/// Series one token may make. Beyond: new series are refused `limit_series`, existing ones go on.
pub const SERIES_PER_TOKEN: usize = 100_000;
/// Ids of series that are passed over when commits may be lost: those that the lost ones may have given. More than a hub makes between
/// two commits that others can know of, and few enough to hold holes for.
pub const IDS_LOST: u32 = 1 << 16;
/// Series the hub may hold. Beyond: as above.
pub const SERIES_PER_HUB: usize = 1_000_000;
/// Not well-formed frames on one connection before it is closed 1007.
pub const BAD_FRAMES: u32 = 100;
/// How far ahead of the hub's clock a reading may be. Beyond: `time_ahead`, to be kept and sent again.
pub const TIME_AHEAD: Duration = Duration::from_secs(600);
/// 2000-01-01T00:00:00Z. A reading before it is `bad_time`: most likely another unit than nanoseconds.
pub const TIME_EARLIEST_NS: i64 = 946_684_800_000_000_000;

/// A reading received later than this after its time is late: its receive time is kept on its own.
pub const LATE_AFTER_NS: i64 = 60_000_000_000;

/// Batches waiting for the writer. When full a session waits, and so does its peer through TCP.
pub const WRITER_QUEUE_BATCHES: usize = 1024;
/// Bytes of them in memory, with those of the commit that is being written. Beyond: the same. A batch that is larger waits for an
/// empty queue.
pub const WRITER_QUEUE_BYTES: usize = 64 << 20;
/// The pause that an agent is asked for, at most once in that time, while more than half of that queue, in either, is taken.
pub const SLOW_DOWN_MS: u32 = 500;
/// About how many bytes of readings, in memory, the writer puts in one commit; what waits beyond goes into the next.
pub const COMMIT_BYTES: usize = 16 << 20;
/// Batches one connection may have unanswered. Beyond: its socket is not read until answers are out.
pub const UNANSWERED_PER_CONNECTION: usize = 64;
/// Readings in those batches. Beyond: the same.
pub const UNANSWERED_READINGS_PER_CONNECTION: usize = 200_000;
/// Answers ready for one connection and not yet written. Beyond: its socket is not read until they are out; answers that nobody
/// asked for are dropped and counted.
pub const ANSWERS_PER_CONNECTION: usize = 64;
/// How long answers that are on their way hold up a close frame.
pub const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// Bytes of names by which a connection knows its series again. Beyond: it forgets them all and looks them up anew.
pub const KNOWN_BYTES_PER_CONNECTION: usize = 32 << 20;
/// Longest bytes of names by which a connection knows a series again. Beyond, they are read for each reading: to compare them would
/// cost as much, and names may be as long as a frame. A connection keeps room for them between frames up to this too.
pub const KNOWN_NAME_BYTES: usize = 8 << 10;
/// Aliases one agent connection may define, and bytes of names under them. Beyond: closed 1008.
pub const ALIASES_PER_CONNECTION: usize = 100_000;
pub const ALIAS_BYTES_PER_CONNECTION: usize = 32 << 20;
/// Pairs of device and gateway one connection may bring. Beyond: new pairs count as the connection's own, without gateway.
pub const ARRIVALS_PER_CONNECTION: usize = 10_000;
/// Boots of one agent, and of all agents, whose newest batch is known. Beyond: the one that sent longest ago is forgotten, or of all an
/// eighth at once, counted in `agents_forgotten`; it is welcomed as one that is new.
pub const BOOTS_PER_AGENT: usize = 4;
pub const BOOTS: usize = 50_000;
/// Sessions kept for the next requests of one token that writes line protocol, and how long. Beyond: they are made anew.
pub const SENDER_SESSIONS: usize = 4;
pub const SENDER_IDLE_NS: i64 = 300 * 1_000_000_000;
/// Bytes of a body of line protocol, or of an import, that are decided as one batch, and batches of one body at the writer; beyond, the body is not read.
pub const BODY_PIECE_BYTES: usize = 256 << 10;
pub const BODY_BATCHES: usize = 4;
/// What of a packed body is unpacked at once: gzip grows to a thousandfold at most.
pub const GZIP_STEP_BYTES: usize = 1 << 10;
/// A body of which nothing comes for this long is given up.
pub const BODY_STALLED: Duration = Duration::from_secs(30);
/// Bytes of a file that `telltale import` sends as one body; a line that is longer makes it longer, up to the other bound. Beyond: it
/// stops there.
pub const IMPORT_PART_BYTES: usize = 4 << 20;
pub const IMPORT_LINE_BYTES: usize = 64 << 20;
/// Refused lines that an answer quotes; the rest is counted.
pub const REFUSALS_QUOTED: usize = 20;
/// Refusals of one batch that are explained in words. Beyond: the code alone, so that an answer stays near the size of its batch.
pub const REFUSALS_EXPLAINED: usize = 1000;
/// Series that one commit of a delete may concern; what is beyond goes into the next, so that readings in between do not wait.
pub const DELETES_PER_COMMIT: usize = 256;
/// Late batches that are looked up in the store at once. Beyond: a batch waits for a place, and so does its peer.
pub const LATE_LOOK_UPS: usize = 2;
/// Times of one series that the store is asked for at once, for which it may hold a text each. Beyond: it is asked again.
pub const LATE_TIMES: usize = 4096;
/// How long the writer waits for a seal when memory is full, before it refuses what waits.
pub const SEAL_WAIT: Duration = Duration::from_secs(20);
/// A hub that gets little is sealed so often, so that the log does not grow old.
pub const SEAL_EVERY: Duration = Duration::from_secs(2 * 3600);
/// How long a stop waits for InfluxDB to take what is not forwarded; the next start does the rest.
pub const FORWARD_ON_STOP: Duration = Duration::from_secs(3);
/// Bytes of recent commits kept in memory for live. A reader that fell out of it reads the log instead.
pub const TAIL_BYTES: usize = 32 << 20;
/// Spans of batches remembered for `status` that a restored hub lacks; the oldest goes.
pub const MISSING_KEPT: usize = 100;
/// Refusals remembered for `status/refusals`; the oldest goes.
pub const REFUSALS_KEPT: usize = 1000;

/// Frames that are still written once a close was asked for; what is ready beyond is dropped with the connection.
pub const FRAMES_BEFORE_CLOSE: usize = 256;
/// How long a connection is kept after its close frame, for the peer to read and answer it.
pub const LINGER: Duration = Duration::from_secs(1);
/// One sweep pings every open socket this often.
pub const PING_EVERY: Duration = Duration::from_secs(25);
/// An agent of which nothing was heard, no pong either, for this long is closed 1008, "idle".
pub const AGENT_IDLE: Duration = Duration::from_secs(75);
/// A viewer to whom no byte could be written, or whose ping stays unanswered, for this long is dead.
pub const VIEWER_DEAD: Duration = Duration::from_secs(60);
/// An answer with server-sent events is begun with its first message, so that a refusal can be an answer of its own; after this it
/// is begun without, and a refusal is an event.
pub const EVENTS_BEGIN: Duration = Duration::from_secs(10);
/// A stream of events on which nothing else was written for this long has a comment. That its viewer went is noticed by the second of
/// them: nothing is read from it, and the first write to a closed connection still succeeds.
pub const EVENTS_COMMENT_EVERY: Duration = Duration::from_secs(5);
/// From SIGTERM until nothing more is waited for, so that the process is gone within 15 s. What is not done by then is left to the next
/// start.
pub const STOP_WITHIN: Duration = Duration::from_secs(14);

/// Snapshots are sent in parts of about this size.
pub const SNAPSHOT_PART_BYTES: usize = 256 << 10;
/// Bytes of frames one viewer's mailbox holds before its updates are merged.
pub const MAILBOX_BYTES: usize = 1 << 20;
/// Points of one snapshot: 80 MB of memory when they come out of the store, twice that when they came late. Beyond: the
/// subscription is refused `too_many_points` with a hint; a resume with more is a fresh snapshot.
pub const LIVE_HISTORY_POINTS: usize = 5_000_000;
/// Readings that a snapshot with `points` may be thinned from: about half a second of one core. Beyond: `too_many_points`.
pub const LIVE_THIN_POINTS: usize = 50_000_000;
/// Readings of columns that one tick of a subscription with `points` reads again because of late ones. Beyond: the late readings
/// are all sent.
pub const COLUMN_LOOK_POINTS: usize = 1 << 20;
/// Bytes of snapshots made of store, log or an overlapping head, until viewers have taken them, all together: one of the most
/// points fits when it is alone. Beyond: the subscription is refused `too_slow`.
pub const SNAPSHOT_BYTES: usize = 256 << 20;
/// Bytes of log a resume may read. Beyond: a fresh snapshot.
pub const RESUME_BYTES: u64 = 64 << 20;
/// Subscriptions of one viewer connection. Beyond: an error, the others stay.
pub const SUBSCRIPTIONS_PER_VIEWER: usize = 256;
/// Longest text message from a viewer. Beyond: closed 1009.
pub const VIEWER_MESSAGE_BYTES: usize = 64 << 10;
/// Slowest and fastest `max_hz` a viewer may ask for, and what it gets unasked.
pub const MAX_HZ: (f64, f64, f64) = (0.1, 60.0, 10.0);

/// Most `points` of a subscription: pixels of the widest wall of screens. Beyond: refused.
pub const LIVE_COLUMNS: u32 = 20_000;
/// Longest id of a subscription in bytes. Beyond: the subscribe is refused.
pub const SUBSCRIPTION_ID_BYTES: usize = 256;
/// Errors waiting for one viewer. Beyond: the oldest goes.
pub const VIEWER_ERRORS: usize = 32;
/// Bytes of changes a group of viewers gathers between two frames. Beyond: the frame goes out before its time.
pub const GROUP_PENDING_BYTES: usize = 32 << 20;
/// Subscribes and the like waiting for the live engine. When full the reading side of a viewer's socket waits.
pub const LIVE_INPUTS: usize = 1024;
/// Threads that read the log for resumes; what is beyond waits.
pub const RESUME_THREADS: usize = 2;
/// A device is silent after three of its median intervals, but never before this.
pub const SILENT_AFTER: Duration = Duration::from_secs(60);
/// A device not heard since the hub started is unknown for this long, then offline.
pub const UNKNOWN_FOR: Duration = Duration::from_secs(300);

/// Rows of a row group of Parquet, and bytes of its values; what comes first.
pub const PARQUET_GROUP_ROWS: usize = 1 << 18;
pub const PARQUET_GROUP_BYTES: usize = 8 << 20;
/// A footer of Parquet that is read, a page of it when unpacked, and the pages of one row group that are held at once. Beyond: the file is
/// refused by name.
pub const PARQUET_FOOTER_BYTES: u64 = 16 << 20;
pub const PARQUET_PAGE_BYTES: i64 = 32 << 20;
pub const PARQUET_PAGES_BYTES: u64 = 256 << 20;
/// Pages of a column in one row group, and rows of a file for each of its bytes: one series of one value at regular times comes to 43 in
/// an export of ours, and to several times that from writers with longer blocks of deltas. Beyond: the same.
pub const PARQUET_COLUMN_PAGES: usize = 1 << 14;
pub const PARQUET_ROWS_PER_BYTE: u64 = 512;
/// A text or name in Parquet. Beyond: the file is refused; the limits of readings are far below.
pub const PARQUET_TEXT_BYTES: usize = 1 << 20;
/// A body of Parquet: read from its end, so it is spooled in the data directory. Beyond: `too_large`; `telltale import` has no such bound.
/// So many are spooled at once.
pub const PARQUET_BODY_BYTES: u64 = 256 << 20;
pub const PARQUET_BODIES: usize = 2;
/// How long such a body may take to come in, since nobody else has its place meanwhile. Beyond: it is given up, `too_slow`.
pub const PARQUET_BODY_WITHIN: Duration = Duration::from_secs(600);
/// Points that are walked to find since when a value holds. Beyond: `changed` is the earliest time known.
pub const RUN_START_POINTS: usize = 1_000_000;
/// Points a raw history answer may hold. Beyond: `too_many_points` with a hint.
pub const HISTORY_POINTS: usize = 20_000_000;
/// Columns of `points=N`.
pub const HISTORY_COLUMNS: usize = 100_000;
/// Buckets of one `every=` answer over all series. Beyond: `too_many_points` with a hint.
pub const HISTORY_BUCKETS: usize = 1_000_000;
/// Names in `group_by`.
pub const GROUP_NAMES: usize = 8;
/// Buckets of one group by the columns of `agg`: what is held while the series of the group are read, 70 bytes and more each. Beyond:
/// `too_many_points` with a hint. The rows of all series that are put together are bounded as readings of a raw answer.
pub const GROUP_CELLS: usize = 1_000_000;
/// Readings of one bucket that quantiles are made of: 32 MB of memory, twice that while they are gathered. Beyond: `too_many_points`
/// with a hint. All readings of such an answer are bounded as those of a raw one.
pub const QUANTILE_READINGS: usize = 4_000_000;
/// How far back of a range the reading is looked for that its first `increase` and `rate` begin at, and how long a state holds without a
/// reading. One that is older does not count.
pub const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);
/// States that `time_in_state` tells of one bucket. Beyond: there is none for that bucket, `null`.
pub const STATES: usize = 100;
/// How far `fill=previous` carries on what a bucket said: into so many buckets, or those that begin within this time of its end,
/// whichever are more. Beyond: null.
pub const FILL_PREVIOUS_BUCKETS: usize = 3;
pub const FILL_PREVIOUS_NS: i64 = 3600 * 1_000_000_000;
/// History answers written at once. Beyond: a request waits for a place, at most this long, then `too_slow`.
pub const HISTORY_ANSWERS: usize = 32;
/// Of those, answers with `group`, which hold most. Beyond: the same.
pub const GROUPED_ANSWERS: usize = 4;
pub const HISTORY_WAIT: Duration = Duration::from_secs(10);
/// Bytes of an answer handed on at once, and how many such chunks wait for the socket. Beyond: reading waits.
pub const HISTORY_CHUNK_BYTES: usize = 64 << 10;
/// Rows of one series that MessagePack holds back until their number is known; beyond, the answer breaks off.
pub const HISTORY_HELD_BYTES: usize = 128 << 20;
pub const HISTORY_CHUNKS_AHEAD: usize = 4;
/// How long an answer may take to its first bytes, which a sum over very many readings comes to at its end. Beyond: it is given up,
/// `too_slow` with a hint.
pub const HISTORY_FIRST: Duration = Duration::from_secs(60);
/// A client that closes its side may still wait for its answer; the first bytes of one have this long from then on, and beyond, it is given
/// up. Looked at so often.
pub const CLOSED_SIDE_WAITED: Duration = Duration::from_secs(1);
pub const CLOSED_SIDE_LOOKED_AT: Duration = Duration::from_millis(200);
/// A client that takes no chunk for this long has its connection broken, so that it frees its place.
pub const HISTORY_STALLED: Duration = Duration::from_secs(60);
/// Rows of one page of a list when nobody says, and the most that may be asked for.
pub const PAGE_ROWS: usize = 1000;
pub const PAGE_ROWS_MAX: usize = 10_000;
/// The same for `series?with=stats`, for which files are read.
pub const STATS_ROWS: usize = 100;
pub const STATS_ROWS_MAX: usize = 1000;
/// Candidates of `complete` for each part when nobody says, and the most that may be asked for.
pub const CANDIDATES: usize = 20;
pub const CANDIDATES_MAX: usize = 1000;
/// How long the newest commits took: so many are remembered, the oldest is forgotten.
pub const COMMIT_TIMES: usize = 1024;
/// Counts of readings stored, one a minute, from which the forecast of the disk is made. Beyond: the oldest is forgotten.
pub const GROWTH_COUNTS: usize = 1440;
/// Longest selector in bytes, and most of them in one query.
pub const SELECTOR_BYTES: usize = 4096;
pub const SELECTORS: usize = 64;

/// A single-use login code and a live ticket live this long.
pub const LOGIN_CODE: Duration = Duration::from_secs(15 * 60);
pub const LIVE_TICKET: Duration = Duration::from_secs(30);
/// Tickets not yet used. Beyond: the oldest is forgotten.
pub const TICKETS: usize = 10_000;
/// A session ends this long after its last use.
pub const SESSION: Duration = Duration::from_secs(30 * 24 * 3600);
/// Open sessions. Beyond: the one that was used longest ago ends.
pub const SESSIONS: u32 = 10_000;
/// Login codes not yet used. Beyond: the one that would expire first is forgotten.
pub const LOGIN_CODES: u32 = 1000;
/// Characters kept of what a browser calls itself; the rest is cut.
pub const CLIENT_CHARS: usize = 200;
/// JSON bodies of REST requests. Beyond: 413 `too_large`.
pub const JSON_BYTES: usize = 1 << 20;
/// How long such a body, or one of `/query`, may take to come whole. Beyond: `too_slow`.
pub const SHORT_BODY_WITHIN: Duration = Duration::from_secs(30);

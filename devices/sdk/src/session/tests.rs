//! A case is a script and what the session does in answer. Words of the script:
//! `push:B` `open` `welcome:LAST|-` `send` (all it may) `send1` `ack:UP_TO` `refuse:UP_TO,SEQ,FIRST,COUNT,again|never`
//! `retry:SEQ,MS` `slow:MS` `closing:CODE,MS|-` `lost:CODE|-` `wait:MS` `kept:B,TRIES` `dropped:BEFORE` `gone:SEQ` `finish`.
//! Answers: `BATCH@SEQ` for a send, the rest by name.

use super::*;
use telltale_wire::{Closing, Limits, Rejected, Retry, RowCode, SlowDown, Welcome};

struct Script {
    session: Session,
    now: Instant,
    log: Vec<String>,
}

impl Script {
    fn new(next_seq: u64, found: &[(u64, Option<u64>)]) -> Script {
        let now = Instant::now();
        let backoff = Backoff::new(fastrand::Rng::with_seed(7));
        Script { session: Session::new(now, backoff, next_seq, found.iter().copied()), now, log: Vec::new() }
    }

    fn run(mut self, script: &str) -> String {
        for word in script.split_whitespace() {
            let (word, args) = word.split_once(':').unwrap_or((word, ""));
            self.step(word, &args.split(',').collect::<Vec<_>>());
        }
        self.log.join(" ")
    }

    fn step(&mut self, word: &str, args: &[&str]) {
        let number = |index: usize| args[index].parse::<u64>().unwrap_or_else(|_| panic!("{word}:{args:?}"));
        let small = |index: usize| u32::try_from(number(index)).unwrap();
        let optional = |index: usize| (args[index] != "-").then(|| number(index));
        match word {
            "push" => self.event(Event::Appended { batch: number(0) }),
            "open" => self.event(Event::Opened),
            "welcome" => self.event(Event::Frame(HubFrame::Welcome(Welcome {
                limits: Limits::default(),
                hub_time_ns: 0,
                last_durable: optional(0),
                program: "hub",
            }))),
            "send" => while self.send() {},
            "send1" => assert!(self.send()),
            "ack" => self.ack(number(0), Vec::new()),
            "refuse" => {
                let places = Places::Run { first: small(2), count: small(3) };
                let retry = args[4] == "again";
                let code = if retry { RowCode::TimeAhead } else { RowCode::BadTime };
                self.ack(number(0), vec![Rejected { seq: number(1), places, code: code.into(), retry, message: "why" }]);
            }
            "retry" => self.event(Event::Frame(HubFrame::Retry(Retry {
                seq: number(0),
                after_ms: small(1),
                code: Code::Batch(telltale_wire::BatchCode::DiskFull),
                message: "full",
            }))),
            "slow" => self.event(Event::Frame(HubFrame::SlowDown(SlowDown { after_ms: small(0) }))),
            "closing" => self.event(Event::Frame(HubFrame::Closing(Closing {
                code: u16::try_from(number(0)).unwrap(),
                reason: "because",
                retry_after_ms: optional(1).map(|after| u32::try_from(after).unwrap()),
            }))),
            "lost" => self.event(Event::Lost { close_code: optional(0).map(|code| u16::try_from(code).unwrap()) }),
            "wait" => {
                self.now += Duration::from_millis(number(0));
                self.event(Event::Tick);
            }
            "kept" => self.event(Event::Kept { batch: number(0), tries: u8::try_from(number(1)).unwrap() }),
            "dropped" => self.event(Event::Dropped { before: number(0) }),
            "gone" => self.event(Event::Unsendable { seq: number(0) }),
            "heard" => self.event(Event::Heard),
            "finish" => self.event(Event::Finish),
            _ => panic!("unknown word {word:?}"),
        }
    }

    fn ack(&mut self, up_to: u64, rejected: Vec<Rejected<'_>>) {
        self.event(Event::Frame(HubFrame::Ack(Ack { up_to, stored: 1, duplicate: 0, rejected })));
    }

    fn event(&mut self, event: Event<'_>) {
        for action in self.session.handle(self.now, event) {
            self.log.push(match action {
                Action::Connect => "connect".into(),
                Action::Hello => "hello".into(),
                Action::Rejected { batch, seq, places, retry, .. } => {
                    assert!(matches!(places, Places::Run { .. }));
                    format!("rejected={batch}@{seq}{}", if retry { "+" } else { "" })
                }
                Action::Acked { up_to, batches, .. } => format!("acked<={up_to}={batches:?}").replace(", ", ","),
                Action::Ping => "ping".into(),
                Action::Goodbye => "goodbye".into(),
                Action::Disconnect { reason } => format!("disconnect({reason})").replace(' ', "_"),
                Action::Ended => "ended".into(),
            });
        }
    }

    fn send(&mut self) -> bool {
        let sent = self.session.next_send(self.now);
        if let Some((batch, seq)) = sent {
            self.log.push(format!("{batch}@{seq}"));
        }
        sent.is_some()
    }
}

#[track_caller]
fn check(rule: &str, script: &str, expected: &str) {
    assert_eq!(Script::new(1, &[]).run(script), expected, "{rule}");
}

const UP: &str = "wait:0 open welcome:- ";

#[test]
fn from_connect_to_ack() {
    check("hello follows the open socket, batches the welcome", "wait:0 push:1 send open send welcome:- send", "connect hello 1@1");
    check(
        "an ack takes all batches up to its number",
        &format!("{UP} push:1 push:2 push:3 send ack:2 ack:3"),
        "connect hello 1@1 2@2 3@3 acked<=2=[1,2] acked<=3=[3]",
    );
    check(
        "an ack for what was never sent ends the connection",
        &format!("{UP} push:1 send ack:2"),
        "connect hello 1@1 disconnect(the_hub_acked_batch_2,_which_was_never_sent)",
    );
    check(
        "and so does one for what was sent on another connection and is not sent again yet",
        &format!("{UP} push:1 push:2 send lost:- wait:60000 open welcome:- send1 ack:2"),
        "connect hello 1@1 2@2 connect hello 1@1 disconnect(the_hub_acked_batch_2,_though_batch_2_was_not_sent_again_yet)",
    );
    check(
        "refusals come before the ack that finishes the batch; an ack that comes again refuses nothing",
        &format!("{UP} push:5 push:6 send refuse:1,1,0,1,never refuse:2,2,3,1,again refuse:2,1,0,1,never"),
        "connect hello 5@1 6@2 rejected=5@1 acked<=1=[5] rejected=6@2+ acked<=2=[6] acked<=2=[]",
    );
    check(
        "a welcome that names a batch which no agent comes to ends the connection",
        "wait:0 push:1 open welcome:18446744073709551615 send",
        "connect hello disconnect(the_hub_has_batch_18446744073709551615_of_this_agent,_which_no_agent_comes_to)",
    );
    check(
        "a welcome out of turn ends the connection",
        &format!("{UP} welcome:-"),
        "connect hello disconnect(the_hub_sent_a_welcome_out_of_turn)",
    );
}

#[test]
fn after_a_break_the_same_batches_go_out_under_the_same_numbers() {
    let broken = format!("{UP} push:1 push:2 push:3 send ack:1 lost:- wait:30000 push:4 open");
    check(
        "all that was not acked, then the new",
        &format!("{broken} welcome:1 send"),
        "connect hello 1@1 2@2 3@3 acked<=1=[1] connect hello 2@2 3@3 4@4",
    );
    check(
        "also what the hub has on disk: only an ack names what it refused",
        &format!("{broken} welcome:2 send ack:3"),
        "connect hello 1@1 2@2 3@3 acked<=1=[1] connect hello 2@2 3@3 4@4 acked<=3=[2,3]",
    );
    check(
        "a hub that knows nothing gets them again",
        &format!("{broken} welcome:- send"),
        "connect hello 1@1 2@2 3@3 acked<=1=[1] connect hello 2@2 3@3 4@4",
    );
}

#[test]
fn what_an_earlier_process_left() {
    let found = [(5, Some(41)), (6, Some(42)), (7, None)];
    let run = |script: &str| Script::new(43, &found).run(script);
    assert_eq!(run("wait:0 open welcome:41 send"), "connect hello 5@41 6@42 7@43");
    assert_eq!(run("wait:0 open welcome:99 send"), "connect hello 5@41 6@42 7@100", "no number of the hub's is used again");
    assert_eq!(run("wait:0 push:8 open welcome:40 send"), "connect hello 5@41 6@42 8@43 7@44", "live before backlog");
}

#[test]
fn retry_and_slow_down() {
    check(
        "retry: from there on all is sent again after the pause, before anything new",
        &format!("{UP} push:1 push:2 push:3 send retry:2,500 push:4 send wait:499 send ack:1 wait:1 send"),
        "connect hello 1@1 2@2 3@3 acked<=1=[1] 2@2 3@3 4@4",
    );
    check(
        "a second retry for the same number changes nothing but the pause",
        &format!("{UP} push:1 push:2 send retry:1,100 retry:1,300 wait:100 send wait:200 send"),
        "connect hello 1@1 2@2 1@1 2@2",
    );
    check(
        "slow_down: what was sent stays sent, nothing more for the while",
        &format!("{UP} push:1 send slow:200 push:2 send wait:200 send ack:2"),
        "connect hello 1@1 2@2 acked<=2=[1,2]",
    );
    check(
        "a batch that is gone or was split leaves its number out",
        &format!("{UP} push:1 push:2 send gone:1 lost:- wait:30000 open welcome:- send"),
        "connect hello 1@1 2@2 connect hello 2@2",
    );
}

#[test]
fn live_goes_first_and_backlog_is_not_starved() {
    let pushed: String = (1..=100).map(|batch| format!("push:{batch} ")).collect();
    let log = Script::new(1, &[]).run(&format!("wait:0 open {pushed} welcome:- send"));
    let sent: Vec<u64> = log.split(' ').filter_map(|word| word.split_once('@')?.0.parse().ok()).collect();
    assert_eq!(sent.len(), WINDOW_BATCHES, "the window bounds what is unacked");
    assert_eq!(sent[..6], [37, 38, 39, 40, 1, 41], "the newest 64 are live, in their order; then one of the backlog, the oldest first");
    let backlog: Vec<u64> = sent.iter().copied().filter(|batch| *batch <= 36).collect();
    assert_eq!(backlog, (1..=12).collect::<Vec<u64>>(), "one in five");

    let found: Vec<(u64, Option<u64>)> = (1..=100).map(|batch| (batch, None)).collect();
    let log = Script::new(1, &found).run("wait:0 open welcome:- send push:101 send");
    let sent: Vec<u64> = log.split(' ').filter_map(|word| word.split_once('@')?.0.parse().ok()).collect();
    assert_eq!(sent[..32], (1..=32).collect::<Vec<u64>>(), "without live data the backlog takes half the window");
    assert_eq!(sent[32..], [101], "the other half waits for live data");
}

#[test]
fn dropped_batches_are_forgotten_wherever_they_wait() {
    let found = [(1, Some(1)), (2, None), (3, None)];
    let log = Script::new(2, &found).run("wait:0 push:4 kept:5,1 push:6 dropped:6 open welcome:- send wait:60000 send");
    assert!(log.starts_with("connect hello 6@2"), "{log}");
    assert_eq!(log.matches('@').count(), 1, "{log}");
}

#[test]
fn kept_rows_come_again_later_and_later() {
    check("half a minute after the first time", &format!("{UP} kept:9,1 send wait:29999 heard send wait:1 send"), "connect hello ping 9@1");
    check(
        "a minute after the second",
        &format!("{UP} kept:9,2 wait:20000 heard wait:20000 heard wait:19999 heard send wait:1 send"),
        "connect hello 9@1",
    );
    let mut script = Script::new(1, &[]);
    script.step("kept", &["9", "200"]);
    assert_eq!(script.session.wake_at().unwrap() - script.now, KEPT_LONGEST, "never later than the longest wait");
}

#[test]
fn a_silent_hub_is_asked_and_then_left() {
    check(
        "ping after 25 s, end after 60 s",
        &format!("{UP} wait:24999 wait:1 wait:34999 wait:1"),
        "connect hello ping disconnect(nothing_heard_for_60_s)",
    );
    check("any byte counts", &format!("{UP} wait:25000 heard wait:59999"), "connect hello ping ping");
    check("no welcome", "wait:0 open wait:10000", "connect hello disconnect(no_welcome_within_10_s)");
    check(
        "a hub that answers pings and acks nothing is left too",
        &format!("{UP} push:1 send wait:50000 heard wait:50000 heard wait:20000"),
        "connect hello 1@1 ping ping disconnect(no_ack_for_120_s)",
    );
}

/// How long after the loss the next connect comes, in milliseconds.
fn wait_after(script: &str) -> u128 {
    let mut run = Script::new(1, &[]);
    for word in script.split_whitespace() {
        let (word, args) = word.split_once(':').unwrap_or((word, ""));
        run.step(word, &args.split(',').collect::<Vec<_>>());
    }
    (run.session.wake_at().unwrap() - run.now).as_millis()
}

#[test]
fn how_long_to_stay_away() {
    let fails = "wait:0 lost:- wait:30000 lost:- wait:30000 lost:- wait:30000 lost:- wait:30000 lost:- wait:30000 lost:- wait:30000";
    let cases = [
        ("the first wait is short", "wait:0 lost:-".to_owned(), 250..=500),
        ("waits grow", format!("{fails} lost:-"), 15_000..=30_000),
        ("a good connection resets them", format!("{fails} open welcome:- push:1 send ack:1 lost:-"), 250..=500),
        ("a connection that did nothing does not", format!("{fails} open welcome:- lost:-"), 15_000..=30_000),
        ("the hub says how long", format!("{UP} closing:1001,4000 lost:1001"), 4_000..=5_000),
        ("the hub drains and says nothing", format!("{UP} closing:1001,- lost:1001"), 250..=500),
        ("a revoked token", format!("{UP} lost:4401"), 15_000..=30_000),
        ("the same agent elsewhere", format!("{UP} closing:4409,- lost:-"), 15_000..=30_000),
        ("a code that is not known", format!("{UP} lost:4999"), 250..=500),
    ];
    for (rule, script, expected) in cases {
        let waited = wait_after(&script);
        assert!(expected.contains(&waited), "{rule}: {waited} ms");
    }
}

#[test]
fn after_closing_nothing_more_is_sent() {
    check("the batch waits for the next connection", &format!("{UP} push:1 closing:1001,- send"), "connect hello");
}

#[test]
fn finishing() {
    check(
        "sends, waits for the acks, says goodbye, ends with the connection",
        &format!("{UP} push:1 finish send ack:1 lost:1000"),
        "connect hello 1@1 acked<=1=[1] goodbye ended",
    );
    check("nothing to send and no connection: ends at once", "wait:0 lost:- finish", "connect ended");
    check("connects for what is left", "push:1 finish wait:0 open welcome:- send ack:1", "connect hello 1@1 acked<=1=[1] goodbye");
    check(
        "a break on the way does not end it",
        &format!("{UP} push:1 finish send lost:- wait:30000 open welcome:- send ack:1 lost:-"),
        "connect hello 1@1 connect hello 1@1 acked<=1=[1] goodbye ended",
    );
    check(
        "a hub that does not answer the goodbye",
        &format!("{UP} finish wait:10000 lost:-"),
        "connect hello goodbye disconnect(the_hub_did_not_answer_the_goodbye) ended",
    );
}

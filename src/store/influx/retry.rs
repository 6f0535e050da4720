//! What the forwarder and a migration share: a request again until it is answered, and a body that is refused in halves down to the row.

use std::borrow::Cow;
use std::time::Duration;

use super::group::Body;

/// Waits between two attempts, doubled from the first to the last.
#[derive(Debug)]
pub(super) struct Waits {
    next: Duration,
    most: Duration,
}

impl Waits {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait
    }
}

/// Sends all of a body, in its order. `send` says why a body will not be taken. Then `rest` may say what is still to be sent of it; of a
/// row that will not be taken, `refused` is told.
pub(super) async fn deliver<E, F>(
    body: &Body,
    send: impl Fn(bytes::Bytes) -> F,
    rest: impl Fn(&Body, &str) -> Option<Body>,
    mut refused: impl FnMut(&Body, String) -> Result<(), E>,
) -> Result<(), E>
where
    F: Future<Output = Result<Result<(), String>, E>>,
{
    let mut left = vec![Cow::Borrowed(body)];
    while let Some(body) = left.pop() {
        let Err(why) = send(body.bytes.clone()).await? else { continue };
        if let Some(rest) = rest(&body, &why) {
            left.extend(Some(rest).filter(|rest| !rest.rows.is_empty()).map(Cow::Owned));
            continue;
        }
        match body.halves() {
            Some((first, second)) => left.extend([second, first].map(Cow::Owned)),
            None => refused(&body, why)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::group::Row;
    use super::*;
    use crate::model::SeriesId;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn waits_are_doubled_up_to_a_bound() {
        let mut waits = Waits::new(MS(100), MS(700));
        assert_eq!([0; 5].map(|_: u64| waits.next()), [100, 200, 400, 700, 700].map(MS));
    }

    fn lines(count: usize) -> Body {
        let rows = (1..=count).map(|n| Row { end: 2 * n, series: SeriesId(0), time: n as i64 }).collect();
        let text: String = (0..count).map(|n| format!("{n}\n")).collect();
        Body { bytes: text.into(), rows }
    }

    #[tokio::test]
    async fn what_is_refused_is_halved_down_to_the_row_and_the_rest_arrives_in_order() {
        let (sent, set_aside) = (RefCell::new(String::new()), RefCell::new(Vec::new()));
        let send = |bytes: bytes::Bytes| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let is_bad = text.contains('3') || text.contains('6');
            if !is_bad {
                sent.borrow_mut().push_str(&text);
            }
            async move { Ok::<_, String>(if is_bad { Err(format!("bad {text}")) } else { Ok(()) }) }
        };
        let refused = |body: &Body, why: String| {
            set_aside.borrow_mut().push((body.rows[0].time, why));
            Ok(())
        };
        assert_eq!(deliver(&lines(9), send, |_, _| None, refused).await, Ok(()));
        assert_eq!(*sent.borrow(), "0\n1\n2\n4\n5\n7\n8\n");
        assert_eq!(*set_aside.borrow(), [(4, "bad 3\n".to_owned()), (7, "bad 6\n".to_owned())]);
        let stops = |body: &Body, _why: String| Err(format!("row {}", body.rows[0].time));
        assert_eq!(deliver(&lines(9), send, |_, _| None, stops).await, Err("row 4".to_owned()));
        let away = |_: bytes::Bytes| async { Err::<Result<(), String>, _>("away".to_owned()) };
        assert_eq!(deliver(&lines(9), away, |_, _| None, refused).await, Err("away".to_owned()));
    }
    #[tokio::test]
    async fn what_has_expired_is_let_go_of_at_once() {
        let (requests, set_aside) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let send = |bytes: bytes::Bytes| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let is_bad = text.contains(['2', '7']);
            requests.borrow_mut().push(text);
            async move { Ok::<_, String>(if is_bad { Err("too old".to_owned()) } else { Ok(()) }) }
        };
        let refused = |body: &Body, _why: String| {
            set_aside.borrow_mut().push(body.rows[0].time);
            Ok(())
        };
        assert_eq!(deliver(&lines(9), send, |body, _why| body.since(6), refused).await, Ok(()));
        assert_eq!(*set_aside.borrow(), [8], "another reason");
        let first = ["0\n1\n2\n3\n4\n5\n6\n7\n8\n", "5\n6\n7\n8\n"];
        assert_eq!(requests.borrow()[..2], first);
        requests.borrow_mut().clear();
        assert_eq!(deliver(&lines(3), send, |body, _why| body.since(6), refused).await, Ok(()));
        assert_eq!(requests.borrow().len(), 1, "nothing is left");
    }
}

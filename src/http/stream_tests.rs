//! How long answers begin, go on, and end: whole, broken off, or given up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use actix_web::body::{BodySize, MessageBody, to_bytes};
use actix_web::test::TestRequest;
use actix_web::{App, HttpServer};

use super::*;
use crate::auth::access::{Role, Scope};
use crate::auth::local_access;
use crate::http::testing::TestHub;
use crate::model::TokenId;

async fn body(write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), &'static str> + Send + 'static) -> Result<Bytes, String> {
    let places = Arc::new(Semaphore::new(1));
    let response = answer(&local_access(), place(&places).await.unwrap(), "text/plain", "test", write);
    assert_eq!(response.body().size(), BodySize::Stream);
    let body = to_bytes(response.into_body()).await.map_err(|error| error.to_string());
    assert!(place(&places).await.is_ok(), "the place is free again");
    body
}

async fn begun(
    request: &HttpRequest,
    place: OwnedSemaphorePermit,
    write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), &'static str> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let access = local_access();
    let decided = answer_decided(request, &access, place, "text/plain", "test", |_| Ok(((), ())), |(), sink| write(sink));
    decided.await.map(|(response, ())| response)
}

#[actix_web::test]
async fn only_a_whole_answer_ends_well() {
    let many = |sink: &mut ChunkSink<'_>| (0..20).all(|i| sink(vec![b'a' + i])).then_some(()).ok_or("gone");
    assert_eq!(body(many).await.unwrap(), "abcdefghijklmnopqrst");
    let failed = |sink: &mut ChunkSink<'_>| {
        sink(b"a".to_vec());
        Err("the disk")
    };
    assert!(body(failed).await.unwrap_err().contains("broken off"));
    let panics = |sink: &mut ChunkSink<'_>| {
        sink(b"a".to_vec());
        panic!("a bug in the middle of an answer")
    };
    assert!(body(panics).await.unwrap_err().contains("broken off"));
}

#[actix_web::test]
async fn a_client_that_takes_nothing_loses_its_place() {
    let places = Arc::new(Semaphore::new(1));
    let endless = |sink: &mut ChunkSink<'_>| {
        while sink(vec![0; 1000]) {}
        Err("stalled")
    };
    let taken = place(&places).await.unwrap();
    let response = begin(&local_access(), taken, "test", Duration::from_millis(20), endless).answer("text/plain");
    assert!(place(&places).await.is_ok(), "though the client still holds its connection");
    assert!(to_bytes(response.into_body()).await.is_err());
}

#[actix_web::test]
async fn what_does_not_begin_in_time_is_given_up_and_told() {
    let (places, request) = (Arc::new(Semaphore::new(1)), TestRequest::get().to_http_request());
    let silent = |sink: &mut ChunkSink<'_>| {
        while sink(Vec::new()) {
            std::thread::yield_now();
        }
        Err("nobody asks any more")
    };
    let silent = begin(&local_access(), place(&places).await.unwrap(), "test", HISTORY_STALLED, silent);
    let refused = begun_within(silent, Duration::from_millis(5)).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::TooSlow);
    assert!(place(&places).await.is_ok(), "it found that nobody waits");
    let failing = |_: &mut ChunkSink<'_>| Err("a disk");
    let refused = begun(&request, place(&places).await.unwrap(), failing).await.unwrap_err();
    assert!(refused.code == ErrorCode::StoreFailed && refused.message.contains("a disk"), "{refused:?}");
    let whole = |sink: &mut ChunkSink<'_>| (0..9).all(|i| sink(vec![b'a' + i])).then_some(()).ok_or("gone");
    let response = begun(&request, place(&places).await.unwrap(), whole).await.unwrap();
    assert_eq!(to_bytes(response.into_body()).await.unwrap(), "abcdefghi");
    let empty = |_: &mut ChunkSink<'_>| Ok::<(), &str>(());
    let response = begun(&request, place(&places).await.unwrap(), empty).await.unwrap();
    assert_eq!(to_bytes(response.into_body()).await.unwrap(), "");
}

#[actix_web::test]
async fn what_is_decided_is_told_with_the_first_bytes_or_refused() {
    let (places, request) = (Arc::new(Semaphore::new(1)), TestRequest::get().to_http_request());
    let write = |letter: u8, sink: &mut ChunkSink<'_>| sink(vec![letter; 3]).then_some(()).ok_or("gone");
    let decide = |_: &dyn Fn() -> bool| Ok((b'x', "a header"));
    let place_taken = place(&places).await.unwrap();
    let access = local_access();
    let (response, said) = answer_decided(&request, &access, place_taken, "text/plain", "test", decide, write).await.unwrap();
    assert_eq!((to_bytes(response.into_body()).await.unwrap(), said), (Bytes::from("xxx"), "a header"));
    let refuse = |_: &dyn Fn() -> bool| Err::<(u8, ()), _>(ApiError::parameter("no such"));
    let place_taken = place(&places).await.unwrap();
    let refused = answer_decided(&request, &access, place_taken, "text/plain", "test", refuse, write).await.unwrap_err();
    assert!(refused.code == ErrorCode::BadParameter && refused.message == "no such", "{refused:?}");
    assert!(place(&places).await.is_ok(), "the place is free again");
}

/// On a real port: whether its client still waits shows in its socket alone.
#[actix_web::test]
async fn a_client_that_closes_before_the_first_byte_is_waited_for_a_moment_only() {
    let places = Arc::new(Semaphore::new(1));
    let handler = {
        let places = Arc::clone(&places);
        move |request: HttpRequest| {
            let places = Arc::clone(&places);
            async move {
                let silent = |sink: &mut ChunkSink<'_>| {
                    while sink(Vec::new()) {
                        std::thread::yield_now();
                    }
                    Err("nobody asks any more")
                };
                begun(&request, place(&places).await?, silent).await
            }
        }
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(handler.clone())));
    let server = server.workers(1).on_connect(line::keep).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let ask = move || {
        let mut client = TcpStream::connect(address)?;
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
        Ok::<_, io::Error>(client)
    };
    let told = move || {
        let (mut client, mut answer) = (ask()?, String::new());
        client.shutdown(Shutdown::Write)?;
        client.read_to_string(&mut answer)?;
        Ok::<_, io::Error>(answer)
    };
    let answer = web::block(told).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("closed its side"), "{answer}");
    let client = web::block(ask).await.unwrap().unwrap();
    let taken = async {
        while places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(HISTORY_WAIT, taken).await.unwrap();
    drop(client);
    assert!(place(&places).await.is_ok(), "the work ended");
    handle.stop(false).await;
    serving.await.unwrap().unwrap();
}

#[actix_web::test]
async fn no_place_is_too_slow() {
    let places = Arc::new(Semaphore::new(1));
    let _taken = place(&places).await.unwrap();
    let refused = place_within(&places, Duration::from_millis(1), "2 answers").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TooSlow);
}

#[actix_web::test]
async fn places_of_grouped_answers_are_few_and_waited_for() {
    let test = TestHub::open();
    let uri = "/api/v1/history?select=*/*&from=-1h&agg=count&group=sum";
    let taken: Vec<_> = (0..GROUPED_ANSWERS).map(|_| Arc::clone(&test.hub.grouped_answers).try_acquire_owned().unwrap()).collect();
    let refused = test.ask(uri).await;
    assert_eq!(refused.refusal(), (503, "too_slow".to_owned()));
    assert!(refused.text().contains("4 answers with group"), "{}", refused.text());
    assert_eq!(test.ask(&uri.replace("&group=sum", "")).await.status, 200, "others have places of their own");
    drop(taken);
    assert_eq!(test.ask(uri).await.status, 200);
}

/// Of a token, and what ends it.
fn token() -> (Access, tokio::sync::watch::Sender<bool>) {
    let (end, ended) = tokio::sync::watch::channel(false);
    (Access::new(TokenId(1), "t".to_owned(), Role::Viewer, Scope::default(), ended), end)
}

type Writes = Box<dyn FnOnce(&mut ChunkSink<'_>) -> Result<(), &'static str> + Send>;

#[actix_web::test]
async fn an_answer_ends_broken_with_its_token() {
    let endless = |sink: &mut ChunkSink<'_>| {
        while sink(vec![0; 1000]) {}
        Err("the token ended")
    };
    let silent = |sink: &mut ChunkSink<'_>| {
        sink(b"a".to_vec());
        while sink(Vec::new()) {
            std::thread::yield_now();
        }
        Err("the token ended")
    };
    let short = |sink: &mut ChunkSink<'_>| sink(b"a".to_vec()).then_some(()).ok_or("gone");
    let writes: [Writes; 3] = [Box::new(endless), Box::new(silent), Box::new(short)];
    for write in writes {
        let (places, (access, end)) = (Arc::new(Semaphore::new(1)), token());
        let response = answer(&access, place(&places).await.unwrap(), "text/plain", "test", write);
        let mut body = Box::pin(response.into_body());
        let mut next = async || std::future::poll_fn(|context| body.as_mut().poll_next(context)).await;
        assert!(next().await.unwrap().is_ok());
        end.send_replace(true);
        let broken = timeout(HISTORY_WAIT, next()).await.unwrap().unwrap().unwrap_err();
        assert!(broken.to_string().contains("the token was revoked"), "{broken}");
        assert!(next().await.is_none());
        assert!(place(&places).await.is_ok(), "the place is free again, though its client still reads");
    }
}

#[actix_web::test]
async fn a_token_that_ends_before_the_first_byte_is_refused() {
    let (places, request, (access, end)) = (Arc::new(Semaphore::new(1)), TestRequest::get().to_http_request(), token());
    let silent = |(): (), sink: &mut ChunkSink<'_>| {
        while sink(Vec::new()) {
            std::thread::yield_now();
        }
        Err("the token ended")
    };
    let waiting = answer_decided(&request, &access, place(&places).await.unwrap(), "text/plain", "test", |_| Ok(((), ())), silent);
    let (refused, ()) = tokio::join!(waiting, async {
        end.send_replace(true);
    });
    assert_eq!(refused.unwrap_err().code, ErrorCode::Unauthorized);
    let deciding = decided(&request, &access, |is_wanted| {
        while is_wanted() {
            std::thread::yield_now();
        }
        Ok(())
    });
    assert_eq!(deciding.await.unwrap_err().code, ErrorCode::Unauthorized);
    assert!(place(&places).await.is_ok(), "the work ended");
}

#[actix_web::test]
async fn a_client_that_goes_frees_its_place() {
    let places = Arc::new(Semaphore::new(1));
    let endless = |sink: &mut ChunkSink<'_>| {
        while sink(vec![0; 1000]) {}
        Err("the client went")
    };
    let response = answer(&local_access(), place(&places).await.unwrap(), "text/plain", "test", endless);
    drop(response);
    assert!(place(&places).await.is_ok());
}

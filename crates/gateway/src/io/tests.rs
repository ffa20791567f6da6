mod ahead;

use super::*;
use crate::deal::{Deal, What};
use orchestrator_core::Ledger;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;

const LIMITS: Limits = Limits {
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    message: Duration::from_secs(60),
    write: Duration::from_secs(30),
};

/// A connection's place that counts for nothing.
fn place() -> Place {
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Place::new(permit, Deal::new(1).count(0, What::Connection), None)
}

fn watched() -> (Watched<DuplexStream>, Link, DuplexStream) {
    let (ours, theirs) = duplex(16);
    let link = Link::default();
    (Watched::new(ours, LIMITS, link.clone(), place()), link, theirs)
}

async fn waits_for(watched: &mut Watched<DuplexStream>) -> (Duration, String) {
    let began = Instant::now();
    let error = watched.read_u8().await.unwrap_err();
    (began.elapsed(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_after_the_idle_time() {
    let (mut watched, _link, _client) = watched();
    let (waited, why) = waits_for(&mut watched).await;
    assert_eq!(
        (waited, why.as_str()),
        (
            LIMITS.idle,
            "the client took too long to send its next request: request_timeout"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_has_ten_seconds_from_its_first_byte() {
    let (mut watched, _link, mut client) = watched();
    let began = Instant::now();
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            if client.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let read = async {
        loop {
            if let Err(error) = watched.read_u8().await {
                return error;
            }
        }
    };
    let error = tokio::select! { error = read => error, () = trickle => panic!("the socket is read") };
    assert_eq!(
        error.to_string(),
        "the client took too long to send the head of a request: request_timeout"
    );
    assert_eq!(began.elapsed(), Duration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_silent_while_it_is_answered() {
    let (mut watched, link, mut client) = watched();
    client.write_all(b"x").await.unwrap();
    watched.read_u8().await.unwrap();
    let work = link.work();
    let silent = tokio::time::timeout(Duration::from_secs(3600), watched.read_u8()).await;
    assert!(silent.is_err(), "nothing ends it");
    drop(work);
    let (waited, _) = waits_for(&mut watched).await;
    assert_eq!(waited, LIMITS.idle, "afterwards it idles");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_closed() {
    let (mut watched, _link, _client) = watched();
    let began = Instant::now();
    let error = watched.write_all(&[0; 64]).await.unwrap_err();
    assert!(error.to_string().contains("slow_consumer"));
    assert_eq!(began.elapsed(), LIMITS.write);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_something_in_time_is_kept() {
    let (mut watched, _link, mut client) = watched();
    let taking = async {
        for _ in 0..64 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            client.read_u8().await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(watched.write_all(&[0; 64]), taking);
    assert!(written.is_ok());
}

#[tokio::test(start_paused = true)]
async fn after_a_request_that_was_answered_at_once_it_idles() {
    let (mut watched, link, mut client) = watched();
    for _ in 0..3 {
        client.write_all(b"x").await.unwrap();
        watched.read_u8().await.unwrap();
        drop(link.clone().work());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let (waited, why) = waits_for(&mut watched).await;
    assert_eq!(
        (waited, why.as_str()),
        (
            LIMITS.idle,
            "the client took too long to send its next request: request_timeout"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn the_head_of_the_next_request_has_its_own_time() {
    let (mut watched, link, mut client) = watched();
    client.write_all(b"ab").await.unwrap();
    watched.read_u8().await.unwrap();
    drop(link.clone().work());
    tokio::time::sleep(Duration::from_secs(9)).await;
    watched.read_u8().await.unwrap();
    let (waited, why) = waits_for(&mut watched).await;
    assert_eq!(
        (waited, why.as_str()),
        (
            LIMITS.head,
            "the client took too long to send the head of a request: request_timeout"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_may_be_silent() {
    let (mut watched, link, mut client) = watched();
    client.write_all(b"x").await.unwrap();
    watched.read_u8().await.unwrap();
    let work = link.clone().work();
    link.upgrade();
    drop(work);
    let silent = tokio::time::timeout(Duration::from_secs(3600), watched.read_u8()).await;
    assert!(silent.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_was_told_of_slowness_may_try_once_more() {
    let (mut watched, _link, mut client) = watched();
    for _ in 0..2 {
        let began = Instant::now();
        let error = watched.write_all(&[0; 64]).await.unwrap_err();
        assert!(is_slow_consumer(&error));
        assert_eq!(began.elapsed(), LIMITS.write);
    }
    client.read_exact(&mut [0; 16]).await.unwrap();
    assert!(watched.write_all(&[0; 16]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn other_time_outs_are_not_slowness() {
    let (mut watched, _link, client) = watched();
    let idle = watched.read_u8().await.unwrap_err();
    assert!(!is_slow_consumer(&idle));
    drop(client);
    let gone = watched.write_all(&[0; 64]).await.unwrap_err();
    assert!(!is_slow_consumer(&gone));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_websocket_has_its_time_from_its_first_byte_to_its_last() {
    let (mut watched, link, mut client) = watched();
    drop(link.clone().work());
    link.upgrade();
    for pause in [1_000, 59, 1] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        client.write_all(b"ab").await.unwrap();
        for _ in 0..2 {
            watched.read_u8().await.unwrap();
        }
        link.took();
    }
    client.write_all(b"a").await.unwrap();
    watched.read_u8().await.unwrap();
    let (waited, why) = waits_for(&mut watched).await;
    assert_eq!(
        (waited, why.as_str()),
        (
            LIMITS.message,
            "the client took too long to send a message: request_timeout"
        )
    );
    let silent = tokio::time::timeout(Duration::from_secs(3600), watched.read_u8()).await;
    assert!(silent.is_err(), "who was told may say goodbye");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_came_are_counted() {
    let (mut watched, link, mut client) = watched();
    assert_eq!(link.heard(), 0);
    client.write_all(b"abc").await.unwrap();
    watched.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(link.heard(), 2);
    watched.read_u8().await.unwrap();
    assert_eq!(link.heard(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_in_flight_until_it_is_flushed() {
    let ledger = Ledger::generous();
    let (mut watched, link, _client) = watched();
    for flushes in [0, 3] {
        let mut work = link.clone().work();
        work.carry(ledger.enter().unwrap());
        for _ in 0..flushes {
            watched.flush().await.unwrap();
        }
        assert_eq!(ledger.requests(), 1, "it is still being answered");
        drop(work);
        assert_eq!(ledger.requests(), 1, "its last bytes may not have left");
        watched.flush().await.unwrap();
        assert_eq!(ledger.requests(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_connection_is_gone_is_not_in_flight() {
    let ledger = Ledger::generous();
    let (watched, link, _client) = watched();
    let mut work = link.work();
    work.carry(ledger.enter().unwrap());
    drop(work);
    drop(watched);
    assert_eq!(ledger.requests(), 0);
}

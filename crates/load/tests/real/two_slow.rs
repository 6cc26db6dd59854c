//! HTTP/2 with peers that open their windows wide and read slowly, or never.

use std::io;
use std::thread;
use std::time::Duration;

use crate::asked::Asked;
use crate::peer::Peer;
use crate::two::{Link, asked, server};
use crate::two_peer::WINDOW_UPDATE;

const INITIAL_WINDOW_SIZE: u16 = 4;
const BODY: u64 = 3_000_000;

fn wide(serve: fn(&mut Link) -> io::Result<()>) -> Peer {
    server(&[(INITIAL_WINDOW_SIZE, i32::MAX as u32)], move |two, _| {
        two.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes())?;
        serve(two)
    })
}

/// Long requests on one connection.
fn posts(peer: &Peer) -> Asked {
    let one = asked(peer, 20).with("connections", 1);
    one.step("method", "POST").step("body_size", BODY)
}

#[test]
fn bodies_for_a_peer_that_never_reads_do_not_pile_up() {
    let peer = wide(|_| {
        thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    let plan = posts(&peer).with("timeout_ms", 1000);
    let told = plan.times(20, 20).run();
    told.all_failed("timeout", 20);
    // A few megabytes are what the system takes.
    assert!(told.number("bytes_out") < 8 * BODY, "{}", told.0);
}

#[test]
fn bodies_for_a_peer_that_reads_slowly_wait_for_their_turn() {
    let peer = wide(|two| {
        thread::sleep(Duration::from_millis(300));
        loop {
            let stream = two.request()?;
            two.ok(stream)?;
        }
    });
    posts(&peer).times(10, 20).run().all_well(20);
    assert_eq!(peer.accepted(), 1);
}

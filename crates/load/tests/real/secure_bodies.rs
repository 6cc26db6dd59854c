//! Answers and requests of any length over TLS, and connections that break within them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::papers::papers;
use crate::secret_peer::{OK, SHOWN, asked, head, server};

/// Bytes of a body that takes many records, and more than any buffer.
const SIZE: usize = 5_000_000;

#[test]
fn long_answers_come_whole() {
    let Some(papers) = papers() else { return };
    let peer = server(papers, &SHOWN, |secret| {
        loop {
            head(secret)?;
            write!(secret, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")?;
            for part in 0..100 {
                secret.write_all(&vec![part; SIZE / 100])?;
            }
        }
    });
    let contains = json!([{"what": "body", "contains": "\u{3}\u{3}\u{4}\u{4}"}]);
    let told = asked(papers, &peer)
        .step("assert", contains)
        .times(2, 6)
        .run();
    told.all_well(6);
    assert!(told.number("bytes_in") >= 6 * SIZE as u64);
}

#[test]
fn long_requests_go_whole_to_who_reads_slowly() {
    let Some(papers) = papers() else { return };
    for size in [100_000_usize, 9_000_000] {
        let sum = Arc::new(AtomicU64::new(0));
        let all = Arc::clone(&sum);
        let peer = server(papers, &SHOWN, move |secret| {
            loop {
                let (text, mut read) = head(secret)?;
                assert!(text.contains(&format!("ontent-Length: {size}")), "{text}");
                let mut some = vec![0; 1 << 18];
                std::thread::sleep(Duration::from_millis(50));
                while read < size {
                    read += secret.read(&mut some)?;
                    if read % 7 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                all.fetch_add(read as u64, Ordering::SeqCst);
                secret.write_all(OK)?;
            }
        });
        let plan = asked(papers, &peer)
            .step("method", "POST")
            .step("body_size", size);
        plan.with("timeout_ms", 20_000)
            .times(1, 3)
            .run()
            .all_well(3);
        assert_eq!(sum.load(Ordering::SeqCst), 3 * size as u64);
    }
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer() {
    let Some(papers) = papers() else { return };
    let whole: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end";
    let part: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nto the e";
    for (answer, says_so, class) in [
        (whole, true, None),
        (whole, false, Some("closed")),
        (part, true, Some("closed")),
        (part, false, Some("closed")),
    ] {
        for stays in [false, true] {
            let peer = server(papers, &SHOWN, move |secret| {
                head(secret)?;
                secret.write_all(answer)?;
                if says_so {
                    secret.conn.send_close_notify();
                    secret.flush()?;
                }
                if stays && says_so {
                    // The end of TLS is the end, whatever becomes of the socket.
                    let _ = secret.sock.read(&mut [0; 100]);
                }
                Ok(())
            });
            let told = asked(papers, &peer).times(1, 3).run();
            match class {
                None => told.all_well(3),
                Some(class) => told.all_failed(class, 3),
            }
        }
    }
}

#[test]
fn a_record_that_is_broken_breaks_the_connection() {
    let Some(papers) = papers() else { return };
    let peer = server(papers, &SHOWN, |secret| {
        head(secret)?;
        secret.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")?;
        secret.sock.write_all(&[0x17, 3, 3, 0, 40])?;
        secret.sock.write_all(&[9; 40])
    });
    asked(papers, &peer).times(1, 3).run().all_failed("tls", 3);
}

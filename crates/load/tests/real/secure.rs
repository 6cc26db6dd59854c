//! Who is believed over TLS, what is agreed on, and handshakes that come to nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use serde_json::json;

use crate::asked::Asked;
use crate::papers::papers;
use crate::peer::Peer;
use crate::secret_peer::{OK, SHOWN, Shown, always, asked, config, drain, head, server};
use crate::two_peer::{SETTINGS, Two};

pub const EACH_VERSION: [&[&rustls::SupportedProtocolVersion]; 2] =
    [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

#[test]
fn a_server_proves_its_name_or_address() {
    let Some(papers) = papers() else { return };
    let peer = server(papers, &SHOWN, always(OK));
    let told = asked(papers, &peer).times(4, 20).run();
    told.all_well(20);
    assert_eq!(told.phases("connect"), 4);
    assert_eq!(told.phases("tls"), 4);
    assert_eq!(told.phases("first_byte"), 20);

    let resolve = json!([{"host": "server.test", "port": null, "address": "127.0.0.1",
                          "to_port": peer.port()}]);
    let named = asked(papers, &peer).with("resolve", resolve);
    named
        .clone()
        .with("base_url", "https://server.test")
        .run()
        .all_well(1);
    named
        .clone()
        .with("base_url", "https://SERVER.test:81")
        .run()
        .all_well(1);
}

#[test]
fn a_server_has_an_address_of_ipv6() {
    let Some(papers) = papers() else { return };
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("this system has no IPv6: not tried");
        return;
    }
    let config = config(papers, &SHOWN);
    let peer = Peer::at("::1", move |stream, _| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let _ = always(OK)(&mut StreamOwned::new(session, stream));
    });
    asked(papers, &peer).times(2, 6).run().all_well(6);
    let resolve = json!([{"host": "server.test", "port": 443, "address": "::1",
                          "to_port": peer.port()}]);
    let named = asked(papers, &peer).with("base_url", "https://server.test");
    named.with("resolve", resolve).run().all_well(1);
}

#[test]
fn a_server_that_proves_nothing_is_refused_unless_its_owner_does_not_ask() {
    let Some(papers) = papers() else { return };
    for certificate in ["elsewhere", "old", "unknown"] {
        for versions in EACH_VERSION {
            let shown = Shown {
                certificate,
                versions,
                ..SHOWN
            };
            let peer = server(papers, &shown, always(OK));
            let told = asked(papers, &peer).times(1, 3).run();
            told.all_failed("tls", 3);
            assert_eq!(
                (told.phases("connect"), told.phases("tls")),
                (peer.accepted(), 0)
            );
            asked(papers, &peer)
                .with("tls/verify", false)
                .run()
                .all_well(1);
        }
    }
    // Whom nobody vouches for is not believed without a file either.
    let peer = server(papers, &SHOWN, always(OK));
    let told = Asked::of(&format!("https://{}/", peer.address));
    if told.prepare().is_ok() {
        assert!(told.run().number("errors/tls") > 0);
    }
}

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for() {
    let Some(papers) = papers() else { return };
    for versions in EACH_VERSION {
        let shown = Shown {
            versions,
            asks: true,
            ..SHOWN
        };
        let peer = server(papers, &shown, |secret| {
            head(secret)?;
            assert!(secret.conn.peer_certificates().is_some());
            secret.write_all(OK)
        });
        let plain = asked(papers, &peer);
        let own = plain
            .clone()
            .with("tls/certificate", papers.text("client.pem"));
        own.with("tls/key", papers.text("client.key"))
            .run()
            .all_well(1);
        let told = plain.run();
        assert!(told.number("errors/tls") > 0, "{}", told.0);
        assert_eq!(told.answers(200), 0);
        // One that the server does not believe.
        let other = plain.with("tls/certificate", papers.text("unknown.pem"));
        let told = other.with("tls/key", papers.text("unknown.key")).run();
        assert!(told.number("errors/tls") > 0, "{}", told.0);
    }
}

#[test]
fn files_that_are_of_no_use_are_named_with_their_field() {
    let Some(papers) = papers() else { return };
    let plan = Asked::of("https://server.test/");
    let ca = |name: &str| plan.clone().with("tls/ca", papers.text(name)).refused();
    let own = |certificate: &str, key: &str| {
        let plan = plan
            .clone()
            .with("tls/certificate", papers.text(certificate));
        plan.with("tls/verify", false)
            .with("tls/key", papers.text(key))
            .refused()
    };
    let sentences = [
        (ca("none"), "tls.ca", "none", "No such file"),
        (ca("empty"), "tls.ca", "empty", "holds no certificate"),
        (ca("garbage"), "tls.ca", "garbage", "PEM"),
        (ca("ca.key"), "tls.ca", "ca.key", "holds no certificate"),
        (
            own("none", "client.key"),
            "tls.certificate",
            "none",
            "No such file",
        ),
        (
            own("client.key", "client.key"),
            "tls.certificate",
            "client.key",
            "holds no certificate",
        ),
        (own("client.pem", "none"), "tls.key", "none", "No such file"),
        (
            own("client.pem", "client.pem"),
            "tls.key",
            "client.pem",
            "holds no private key",
        ),
        (
            own("client.pem", "server.key"),
            "tls.key",
            "server.key",
            "is not the key of",
        ),
    ];
    for (sentence, field, file, why) in sentences {
        assert!(sentence.starts_with(&format!("{field}: ")), "{sentence}");
        assert!(sentence.contains(&papers.text(file)), "{sentence}");
        assert!(
            sentence.contains(why) && !sentence.contains('\n'),
            "{sentence}"
        );
    }
    let half = plan
        .with("tls/certificate", papers.text("client.pem"))
        .refused();
    assert!(
        half.starts_with("tls: a client certificate needs its key"),
        "{half}"
    );
}

#[test]
fn both_versions_are_spoken_and_a_session_is_taken_up_again() {
    let Some(papers) = papers() else { return };
    for versions in EACH_VERSION {
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&kinds);
        let shown = Shown { versions, ..SHOWN };
        let peer = server(papers, &shown, move |secret| {
            head(secret)?;
            let version = secret.conn.protocol_version().unwrap();
            seen.lock()
                .unwrap()
                .push((version, secret.conn.handshake_kind().unwrap()));
            secret.write_all(OK)?;
            secret.conn.send_close_notify();
            secret.flush()
        });
        let told = asked(papers, &peer)
            .with("keep_alive", false)
            .times(1, 4)
            .run();
        told.all_well(4);
        assert_eq!((told.phases("connect"), told.phases("tls")), (4, 4));
        let kinds = kinds.lock().unwrap();
        assert!(
            kinds
                .iter()
                .all(|(version, _)| *version == versions[0].version),
            "{kinds:?}"
        );
        assert_eq!(kinds[0].1, rustls::HandshakeKind::Full);
        assert!(
            kinds[1..]
                .iter()
                .all(|(_, kind)| *kind == rustls::HandshakeKind::Resumed)
        );
    }
}

#[test]
fn what_is_spoken_is_agreed_on() {
    let Some(papers) = papers() else { return };
    let one: &[&[u8]] = &[b"http/1.1"];
    let two: &[&[u8]] = &[b"h2"];
    // With HTTP/1.1 silence is agreement, with HTTP/2 it is not.
    for (alpn, http, is_well) in [
        (one, "1.1", true),
        (two, "1.1", false),
        (&[], "1.1", true),
        (one, "2", false),
        (&[], "2", false),
    ] {
        let peer = server(papers, &Shown { alpn, ..SHOWN }, always(OK));
        let told = asked(papers, &peer).with("http", http).times(2, 4).run();
        if is_well {
            told.all_well(4);
        } else {
            told.all_failed("tls", 4);
            assert!(peer.accepted() <= 4, "{} connections", peer.accepted());
        }
    }
}

#[test]
fn a_handshake_that_comes_to_nothing_has_one_class() {
    type Serve = fn(TcpStream, u64);
    let broken: [(&str, Serve); 6] = [
        ("tls", |mut stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            drain(&stream);
        }),
        ("tls", |mut stream, _| {
            let _ = stream.write_all(&[0x16, 3, 3, 0, 4, 1, 2, 3, 4]);
            drain(&stream);
        }),
        // An alert: handshake_failure.
        ("tls", |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
            drain(&stream);
        }),
        ("tls", |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
        }),
        // A reset: what the client said was not read.
        ("tls", |stream, _| {
            let _ = stream.peek(&mut [0; 10]);
        }),
        ("timeout", |stream, _| {
            let _ = stream.peek(&mut [0; 10]);
            std::thread::sleep(Duration::from_secs(3));
        }),
    ];
    for (number, (class, serve)) in broken.into_iter().enumerate() {
        let peer = Peer::new(serve);
        let plan = Asked::of(&format!("https://{}/", peer.address)).with("tls/verify", false);
        let told = plan
            .with("connect_timeout_ms", 400)
            .times(2, 4)
            .with("duration_ms", 1500)
            .run();
        let failed = told.number(&format!("errors/{class}"));
        assert!(
            failed >= 2 && failed == told.number("requests"),
            "{number}: {}",
            told.0
        );
        assert_eq!(told.phases("tls"), 0);
        assert_eq!(told.phases("connect"), peer.accepted());
    }
}

#[test]
fn entries_of_one_host_are_used_in_turn() {
    let Some(papers) = papers() else { return };
    let peers: Vec<Peer> = (0..3).map(|_| server(papers, &SHOWN, always(OK))).collect();
    let entries: Vec<_> = peers
        .iter()
        .map(|peer| {
            json!({"host": "server.test", "port": null, "address": "127.0.0.1",
                   "to_port": peer.port()})
        })
        .collect();
    let plan = asked(papers, &peers[0]).with("base_url", "https://server.test");
    let told = plan.with("resolve", entries).times(9, 90).run();
    told.all_well(90);
    let accepted: Vec<u64> = peers.iter().map(Peer::accepted).collect();
    assert_eq!(accepted, [3, 3, 3]);
}

/// HTTP/2 may begin in the same segment in which the handshake ends, and our side begins with its preface all the same.
#[test]
fn what_comes_with_the_end_of_the_handshake_is_read_after_it() {
    let Some(papers) = papers() else { return };
    for versions in EACH_VERSION {
        let config = config(
            papers,
            &Shown {
                alpn: &[b"h2"],
                versions,
                ..SHOWN
            },
        );
        let peer = Peer::new(move |mut stream, _| {
            let mut session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let serve = || {
                while session.is_handshaking() {
                    while session.wants_write() && session.is_handshaking() {
                        session.write_tls(&mut stream)?;
                    }
                    session.read_tls(&mut stream)?;
                    session
                        .process_new_packets()
                        .map_err(std::io::Error::other)?;
                }
                session
                    .writer()
                    .write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0])?;
                let mut two = Two::accept(StreamOwned::new(session, stream), &[])?;
                loop {
                    let stream = two.request()?;
                    two.ok(stream)?;
                }
            };
            let _: std::io::Result<()> = serve();
        });
        let told = asked(papers, &peer).two(3).times(6, 60).run();
        told.all_well(60);
        assert_eq!(
            (
                peer.accepted(),
                told.phases("tls"),
                told.number("generator/again")
            ),
            (2, 2, 0)
        );
    }
}

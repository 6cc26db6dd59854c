//! Real servers, where they are installed:
//! `cargo test --release -p chaffinch-load http2::tests::real -- --ignored --nocapture`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::encode;
use super::*;
use crate::Request;

/// A server that is stopped when the test is over, however it ends.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// None when the program is not installed.
    fn start(program: &str, arguments: &[String], port: u16) -> Option<Self> {
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("{program} is not installed: not tried");
            return None;
        };
        let server = Self { child, port };
        for _ in 0..100 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{program} does not listen on port {port}");
    }

    fn nghttpd(folder: &Path) -> Option<Self> {
        let port = free_port();
        let folder = folder.display().to_string();
        let arguments = [
            "--no-tls",
            "-a",
            "127.0.0.1",
            "-d",
            &folder,
            &port.to_string(),
        ];
        Self::start("nghttpd", &arguments.map(str::to_owned), port)
    }

    /// `most`: the requests of a connection, after which nginx goes away.
    fn nginx(folder: &Path, most: u32) -> Option<Self> {
        let port = free_port();
        let place = folder.display();
        let text = format!(
            "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log;
            events {{ worker_connections 64; }}
            http {{ access_log off; keepalive_requests {most}; client_body_temp_path {place}/bodies;
              proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
              uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
              server {{ listen 127.0.0.1:{port} http2; root {place};
                location = /ok {{ return 200 'ok'; }} }} }}"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let arguments =
            ["-p", &place.to_string(), "-c", &file.display().to_string()].map(str::to_owned);
        Self::start("/usr/sbin/nginx", &arguments, port)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A connection over a blocking socket.
struct Link {
    socket: TcpStream,
    connection: Connection,
    out: Vec<u8>,
    buffer: Vec<u8>,
    port: u16,
}

impl Link {
    fn new(port: u16, streams: u32) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut link = Self {
            socket,
            connection: Connection::new(streams),
            out: Vec::new(),
            buffer: vec![0; 65_536],
            port,
        };
        link.connection.opening(&mut link.out);
        link
    }

    fn block(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let request = Request {
            method: method.into(),
            target: target.into(),
            headers: vec![("User-Agent".into(), "chaffinch".into())],
            body: body.to_vec(),
        };
        let mut block = Vec::new();
        encode(
            &request,
            "http",
            &format!("127.0.0.1:{}", self.port),
            &mut block,
        );
        block
    }

    fn turn(&mut self, told: &mut impl Events) {
        self.socket.write_all(&self.out).unwrap();
        self.out.clear();
        let read = self.socket.read(&mut self.buffer).unwrap();
        assert!(read > 0, "the server closed");
        self.connection
            .read(&self.buffer[..read], &mut self.out, told)
            .unwrap();
    }

    /// One request and what was told of it.
    fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> Vec<Event> {
        let block = self.block(method, target, body);
        assert!(
            self.connection
                .open(&block, body, method == "HEAD", 5, &mut self.out)
        );
        let mut told = Told {
            wants: true,
            ..Told::default()
        };
        while self.connection.open_streams() > 0 {
            self.turn(&mut told);
        }
        told.events
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "0123456789").unwrap();
    let large: Vec<u8> = (0..3_000_000).map(|at: u32| (at % 251) as u8).collect();
    std::fs::write(folder.path().join("large"), large).unwrap();
    folder
}

fn converse(server: &Server, folder: &Path) {
    let mut link = Link::new(server.port, 10);
    let events = link.ask("GET", "/index.html", b"");
    println!("{events:?}");
    assert_eq!(events.first(), Some(&Head(5, 200)));
    assert_eq!(
        events[events.len() - 2..],
        [Body(5, b"0123456789".to_vec()), Done(5, 10)]
    );
    let events = link.ask("HEAD", "/index.html", b"");
    assert_eq!(
        (events.first(), events.last()),
        (Some(&Head(5, 200)), Some(&Done(5, 0)))
    );
    assert_eq!(link.ask("GET", "/none", b"").first(), Some(&Head(5, 404)));
    let events = link.ask("GET", "/large", b"");
    let [.., Body(5, body), Done(5, 3_000_000)] = &events[..] else {
        panic!("not the whole file")
    };
    assert_eq!(*body, std::fs::read(folder.join("large")).unwrap());
    for size in [1, 65_536, 900_000] {
        let events = link.ask("POST", "/index.html", &vec![b'x'; size]);
        println!(
            "POST of {size}: {:?} ... {:?}",
            events.first(),
            events.last()
        );
        assert!(matches!(events.last(), Some(Done(5, _))));
    }
    // One that is cancelled, and one after it.
    let block = link.block("GET", "/large", b"");
    assert!(link.connection.open(&block, b"", false, 9, &mut link.out));
    let mut told = Told::default();
    while !told.events.contains(&Head(9, 200)) {
        link.turn(&mut told);
    }
    assert!(link.connection.cancel(9, &mut link.out));
    assert_eq!(
        link.ask("GET", "/index.html", b"").last(),
        Some(&Done(5, 10))
    );
}

#[test]
#[ignore = "needs nghttpd and nginx"]
fn conversations_with_real_servers() {
    let folder = folder();
    if let Some(server) = Server::nghttpd(folder.path()) {
        converse(&server, folder.path());
    }
    if let Some(server) = Server::nginx(folder.path(), 100_000_000) {
        converse(&server, folder.path());
    }
}

/// Keys that were answered, and those that were not processed.
#[derive(Default)]
struct Sorted {
    done: Vec<u32>,
    refused: Vec<u32>,
}

impl Events for Sorted {
    fn head(&mut self, _: u32, status: u16) {
        assert_eq!(status, 200);
    }
    fn done(&mut self, key: u32, body_bytes: u64) {
        assert_eq!(body_bytes, 2);
        self.done.push(key);
    }
    fn reset(&mut self, key: u32, why: Reset) {
        assert_eq!(why, Reset::Refused);
        self.refused.push(key);
    }
}

#[test]
#[ignore = "needs nginx"]
fn a_real_server_that_goes_away_again_and_again() {
    let folder = folder();
    let Some(server) = Server::nginx(folder.path(), 100) else {
        return;
    };
    let mut told = Sorted::default();
    let mut keys: Vec<u32> = (0..1000).collect();
    let mut links = 0;
    while told.done.len() < 1000 {
        let mut link = Link::new(server.port, 30);
        let block = link.block("GET", "/ok", b"");
        links += 1;
        while !keys.is_empty() && !link.connection.is_closing()
            || link.connection.open_streams() > 0
        {
            while link.connection.room() > 0 {
                let Some(key) = keys.pop() else { break };
                assert!(link.connection.open(&block, b"", false, key, &mut link.out));
            }
            link.turn(&mut told);
            keys.append(&mut told.refused);
        }
    }
    told.done.sort_unstable();
    assert_eq!(told.done, (0..1000).collect::<Vec<u32>>());
    println!("1,000 requests over {links} connections");
}

/// Counts answers and keeps the keys that are free.
#[derive(Default)]
struct Counted {
    free: Vec<u32>,
    answers: u64,
}

impl Events for Counted {
    fn head(&mut self, _: u32, status: u16) {
        assert_eq!(status, 200);
    }
    fn done(&mut self, key: u32, _: u64) {
        self.answers += 1;
        self.free.push(key);
    }
    fn reset(&mut self, key: u32, why: Reset) {
        panic!("{key}: {why}");
    }
}

/// Microseconds of CPU that this thread has used.
fn processor() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

#[test]
#[ignore = "a measurement: needs nginx, and h2load to compare"]
fn requests_a_second_of_one_connection() {
    let folder = folder();
    let Some(server) = Server::nginx(folder.path(), 100_000_000) else {
        return;
    };
    for _ in 0..2 {
        let mut link = Link::new(server.port, 100);
        let block = link.block("GET", "/ok", b"");
        let mut told = Counted {
            free: (0..100).collect(),
            answers: 0,
        };
        let spent = processor();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            while link.connection.room() > 0 {
                let Some(key) = told.free.pop() else { break };
                assert!(link.connection.open(&block, b"", false, key, &mut link.out));
            }
            link.turn(&mut told);
        }
        let rate = told.answers as f64 / begun.elapsed().as_secs_f64();
        let spent = (processor() - spent) / told.answers as f64;
        println!("ours: {rate:.0} requests/s, {spent:.2} us of CPU each");
        let address = format!("http://127.0.0.1:{}/ok", server.port);
        let arguments = ["-c1", "-m100", "-t1", "-D3", &address];
        let Ok(output) = Command::new("h2load").args(arguments).output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let figure = text.lines().find(|line| line.starts_with("finished in"));
        println!("h2load: {}", figure.unwrap_or("no figure"));
    }
}

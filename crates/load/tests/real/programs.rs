//! Servers of others, where they are installed.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::asked::Asked;
use crate::papers::papers;

const LARGE: usize = 3_000_000;

/// A server that is stopped when the test is over, however it ends.
struct Program {
    child: Child,
    /// What it serves and writes.
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// None, and that is said, when the program is not installed. `arguments`: with `FOLDER` for the folder.
    fn start(program: &str, arguments: &[&str], files: &[(&str, &str)], port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        fs::write(folder.path().join("index.html"), "0123456789").unwrap();
        fs::write(folder.path().join("large"), vec![b'x'; LARGE]).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text.replace("FOLDER", &place)).unwrap();
        }
        let child = Command::new(program)
            .args(arguments.iter().map(|one| one.replace("FOLDER", &place)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("{program} is not installed: not tried");
            return None;
        };
        let mut running = Self {
            child,
            _folder: folder,
        };
        for _ in 0..200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(running);
            }
            if let Ok(Some(status)) = running.child.try_wait() {
                println!("{program} cannot be run here ({status}): not tried");
                return None;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{program} does not listen on port {port}");
    }

    fn nginx(listens: &[String], extra: &str, port: u16) -> Option<Self> {
        let listens = listens.join(" ");
        let text = NGINX.replace("LISTENS", &listens).replace("EXTRA", extra);
        let arguments = [
            "-e",
            "FOLDER/error.log",
            "-p",
            "FOLDER",
            "-c",
            "FOLDER/nginx.conf",
        ];
        Self::start(
            "/usr/sbin/nginx",
            &arguments,
            &[("nginx.conf", &text)],
            port,
        )
    }
}

const NGINX: &str = "
    daemon off; master_process off; pid FOLDER/pid; error_log FOLDER/error.log;
    events { worker_connections 256; }
    http {
      access_log off; EXTRA
      client_body_temp_path FOLDER/bodies; proxy_temp_path FOLDER/p; fastcgi_temp_path FOLDER/f;
      uwsgi_temp_path FOLDER/u; scgi_temp_path FOLDER/s; client_max_body_size 100m;
      server { LISTENS root FOLDER;
        location = /ok { return 200 'ok'; }
        location = /json { return 200 '{\"token\": \"abc\"}'; }
        location = /token-abc { return 200 'ok'; }
        location = /sink { proxy_pass http://unix:FOLDER/sink.sock; }
      }
      server { listen unix:FOLDER/sink.sock; location / { return 200 'ok'; } }
    }";

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// What a server of files has to do right, whatever it is.
fn files(plan: &Asked) {
    plan.clone()
        .step("path", "/index.html")
        .times(8, 200)
        .run()
        .all_well(200);
    let told = plan.clone().step("path", "/large").times(3, 9).run();
    told.all_well(9);
    assert!(told.number("bytes_in") >= 9 * LARGE as u64);
    let head = plan
        .clone()
        .step("path", "/large")
        .step("method", "HEAD")
        .times(3, 30)
        .run();
    head.all_well(30);
    assert!(head.number("bytes_in") < 30_000);
    assert_eq!(
        plan.clone()
            .step("path", "/none")
            .times(2, 20)
            .run()
            .answers(404),
        20
    );
}

/// What this nginx does besides.
fn nginx(plan: &Asked) {
    plan.clone()
        .step("path", "/ok")
        .times(16, 2000)
        .run()
        .all_well(2000);
    let posts = plan.clone().step("path", "/sink").step("method", "POST");
    posts
        .step("body_size", 1 << 20)
        .times(4, 20)
        .run()
        .all_well(20);
    let extract = json!([{"name": "token", "from": "json", "path": "$.token", "default": null}]);
    let steps = plan.clone().step("path", "/json").step("extract", extract);
    let steps = steps.and_step(&json!({"name": "next", "path": "/token-${token}", "extract": []}));
    steps.times(4, 80).run().all_well(80);
}

#[test]
fn nginx_speaks_both_versions_with_and_without_tls() {
    let Some(papers) = papers() else { return };
    let [one, two, secret] = [(); 3].map(|()| free_port());
    let keys = format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        papers.text("server.pem"),
        papers.text("server.key")
    );
    let listens = [
        format!("listen 127.0.0.1:{one};"),
        format!("listen 127.0.0.1:{two} http2;"),
        format!("listen 127.0.0.1:{secret} ssl http2; {keys}"),
    ];
    let Some(_server) = Program::nginx(&listens, "", secret) else {
        return;
    };
    let secret =
        Asked::of(&format!("https://127.0.0.1:{secret}")).with("tls/ca", papers.text("ca.pem"));
    for plan in [
        Asked::of(&format!("http://127.0.0.1:{one}")),
        Asked::of(&format!("http://127.0.0.1:{two}")).two(4),
        secret.clone(),
        secret.clone().two(1),
        secret.two(4),
    ] {
        files(&plan);
        nginx(&plan);
    }
}

#[test]
fn nginx_goes_away_in_the_middle_and_nothing_is_lost() {
    let [one, two] = [(); 2].map(|()| free_port());
    let listens = [
        format!("listen 127.0.0.1:{one};"),
        format!("listen 127.0.0.1:{two} http2;"),
    ];
    let Some(_server) = Program::nginx(&listens, "keepalive_requests 100;", two) else {
        return;
    };
    let told = Asked::of(&format!("http://127.0.0.1:{one}/ok"))
        .times(4, 2000)
        .run();
    told.all_well(2000);
    assert_eq!(
        told.number("generator/again"),
        0,
        "HTTP/1.1 says when it closes"
    );
    for (users, streams) in [(1, 1), (4, 4), (40, 10)] {
        let plan = Asked::of(&format!("http://127.0.0.1:{two}/ok")).two(streams);
        let told = plan.times(users, 3000).run();
        told.all_well(3000);
        assert!(told.phases("connect") >= 30, "{}", told.0);
    }
}

#[test]
fn python_serves_files() {
    let port = free_port();
    let text = port.to_string();
    let arguments = ["-m", "http.server", "--bind", "127.0.0.1", &text];
    let Some(_server) = Program::start("python3", &arguments, &[], port) else {
        return;
    };
    // It speaks HTTP/1.0: one request for each connection.
    let plan = Asked::of(&format!("http://127.0.0.1:{port}"));
    files(&plan);
    let told = plan.step("path", "/index.html").times(2, 10).run();
    assert_eq!(told.phases("connect"), 10);
}

#[test]
fn nghttpd_serves_files_over_http2() {
    let Some(papers) = papers() else { return };
    let [plain, secret] = [(); 2].map(|()| free_port());
    let (text, secret_text) = (plain.to_string(), secret.to_string());
    let arguments = ["--no-tls", "-a", "127.0.0.1", "-d", "FOLDER", &text];
    if let Some(_server) = Program::start("nghttpd", &arguments, &[], plain) {
        files(&Asked::of(&format!("http://127.0.0.1:{plain}")).two(4));
    }
    let (key, certificate) = (papers.text("server.key"), papers.text("server.pem"));
    let arguments = [
        "-a",
        "127.0.0.1",
        "-d",
        "FOLDER",
        &secret_text,
        &key,
        &certificate,
    ];
    if let Some(_server) = Program::start("nghttpd", &arguments, &[], secret) {
        let two = Asked::of(&format!("https://127.0.0.1:{secret}")).two(4);
        files(&two.with("tls/ca", papers.text("ca.pem")));
    }
}

#[test]
fn node_answers_in_chunks() {
    let port = free_port();
    let script = format!(
        "require('http').createServer((request, answer) => {{
           let bytes = 0;
           request.on('data', part => bytes += part.length);
           request.on('end', () => {{
             answer.write('read ');
             setTimeout(() => answer.end(bytes + ' bytes'), 2);
           }});
         }}).listen({port}, '127.0.0.1');"
    );
    let files = [("serve.js", script.as_str())];
    let Some(_server) = Program::start("node", &["FOLDER/serve.js"], &files, port) else {
        return;
    };
    let plan = Asked::of(&format!("http://127.0.0.1:{port}/")).step("method", "POST");
    let check = |size: usize| json!([{"what": "body", "contains": format!("read {size} bytes")}]);
    for size in [0, 10, 1_000_000] {
        let plan = plan
            .clone()
            .step("body_size", size)
            .step("assert", check(size));
        plan.times(4, 40).run().all_well(40);
    }
}

#[test]
fn openssl_vouches_for_itself() {
    let Some(papers) = papers() else { return };
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let (key, certificate) = (papers.text("alone.key"), papers.text("alone.pem"));
    let arguments = [
        "s_server",
        "-accept",
        &address,
        "-key",
        &key,
        "-cert",
        &certificate,
        "-www",
        "-quiet",
    ];
    let Some(_server) = Program::start("openssl", &arguments, &[], port) else {
        return;
    };
    let plan = Asked::of(&format!("https://127.0.0.1:{port}/")).times(1, 5);
    let named = plan.clone().with("tls/ca", papers.text("alone.pem"));
    named.run().all_well(5);
    let stranger = plan.with("tls/ca", papers.text("ca.pem"));
    stranger.run().all_failed("tls", 5);
}

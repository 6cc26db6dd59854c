//! Certificates, made by the `openssl` program when they are first needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// A folder of certificates and keys.
pub struct Papers(tempfile::TempDir);

impl Papers {
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// The papers of all tests of a file, or none where there is no `openssl`: then a test says that it was not done.
pub fn papers() -> Option<&'static Papers> {
    static PAPERS: OnceLock<Option<Papers>> = OnceLock::new();
    let papers = PAPERS.get_or_init(make).as_ref();
    if papers.is_none() {
        println!("openssl is not installed: not tried");
    }
    papers
}

fn make() -> Option<Papers> {
    Command::new("openssl").arg("version").output().ok()?;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let names = "DNS:server.test,DNS:other.test,IP:127.0.0.1,IP:127.0.0.2,IP:::1";
    fs::write(at.join("names"), format!("subjectAltName={names}\n")).unwrap();
    fs::write(at.join("nobody"), "subjectAltName=DNS:elsewhere.test\n").unwrap();
    for authority in ["ca", "stranger"] {
        let out = format!("-keyout {authority}.key -out {authority}.pem -days 30");
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(at, &format!("req -x509 {key} {out} -subj /CN={authority}"));
    }
    issue(at, "old", "ca", "names", 0);
    vouch_for_itself(at, "alone", names, "alone", 30);
    vouch_for_itself(at, "twin", names, "alone", 30);
    vouch_for_itself(at, "alone_elsewhere", "DNS:elsewhere.test", "alone", 30);
    fs::write(
        at.join("all"),
        format!("subjectAltName={names}\nbasicConstraints=critical,CA:TRUE\n"),
    )
    .unwrap();
    openssl(
        at,
        "req -new -key alone.key -subj /CN=alone -out alone_old.csr",
    );
    fs::copy(at.join("alone.key"), at.join("alone_old.key")).unwrap();
    openssl(
        at,
        "x509 -req -in alone_old.csr -signkey alone.key -days 0 -extfile all -out alone_old.pem",
    );
    let both = ["ca.pem", "alone.pem"].map(|name| fs::read_to_string(at.join(name)).unwrap());
    fs::write(at.join("both.pem"), both.concat()).unwrap();
    issue(at, "server", "ca", "names", 30);
    issue(at, "elsewhere", "ca", "nobody", 30);
    issue(at, "unknown", "stranger", "names", 30);
    issue(at, "client", "ca", "names", 30);
    fs::write(at.join("empty"), "").unwrap();
    fs::write(at.join("garbage"), "-----BEGIN CERTIFICATE-----\n!?\n").unwrap();
    // The old one is valid in the second in which it was made.
    std::thread::sleep(Duration::from_millis(1100));
    Some(Papers(folder))
}

fn issue(at: &Path, name: &str, authority: &str, names: &str, days: u32) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        at,
        &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
    );
    let by = format!("-CA {authority}.pem -CAkey {authority}.key -CAcreateserial");
    openssl(
        at,
        &format!("x509 -req -in {name}.csr {by} -days {days} -extfile {names} -out {name}.pem"),
    );
}

/// What `openssl req -x509` makes: its own authority, and a server's certificate at once.
fn vouch_for_itself(at: &Path, name: &str, names: &str, subject: &str, days: u32) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let out = format!("-keyout {name}.key -out {name}.pem -days {days}");
    openssl(
        at,
        &format!("req -x509 {key} {out} -subj /CN={subject} -addext subjectAltName={names}"),
    );
}

fn openssl(at: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(at)
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {arguments}: {why}");
}

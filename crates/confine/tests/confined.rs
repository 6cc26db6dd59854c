//! Each case runs in a process of its own: this program starts itself with the name of the case.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use chaffinch_confine as confine;

type Case = (&'static str, fn(&Path));

const CASES: &[Case] = &[
    (
        "writes_only_below_what_is_writable",
        writes_only_below_what_is_writable,
    ),
    (
        "tcp_is_denied_and_open_listeners_go_on",
        tcp_is_denied_and_open_listeners_go_on,
    ),
    ("bind_can_be_allowed_alone", bind_can_be_allowed_alone),
    (
        "a_single_file_can_be_writable",
        a_single_file_can_be_writable,
    ),
    ("a_missing_path_is_named", a_missing_path_is_named),
    ("a_second_thread_is_refused", a_second_thread_is_refused),
    ("privileges_are_gone", privileges_are_gone),
    ("the_process_is_named", the_process_is_named),
    (
        "the_parent_death_signal_is_set",
        the_parent_death_signal_is_set,
    ),
    ("the_process_is_not_dumpable", the_process_is_not_dumpable),
    (
        "a_network_namespace_is_made_entered_and_removed",
        a_network_namespace_is_made_entered_and_removed,
    ),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(name) = arguments
        .next()
        .filter(|argument| argument == "--case")
        .and(arguments.next())
    {
        let (_, case) = CASES
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a known case");
        return case(Path::new(&arguments.next().expect("a directory")));
    }
    if confine::landlock_abi() == 0 {
        println!(
            "this kernel has no Landlock: the cases that need it check that nothing is claimed"
        );
    }
    let mut failed = Vec::new();
    for (name, _) in CASES {
        let directory =
            std::env::temp_dir().join(format!("chaffinch-confine-{}-{name}", std::process::id()));
        fs::create_dir_all(directory.join("inside")).expect("a directory");
        fs::write(directory.join("outside.txt"), "kept").expect("a file");
        let program = std::env::current_exe().expect("this program");
        let status = Command::new(program)
            .args(["--case", name])
            .arg(&directory)
            .status()
            .expect("it starts");
        println!(
            "test {name} ... {}",
            if status.success() { "ok" } else { "FAILED" }
        );
        if !status.success() {
            failed.push(name);
        }
        fs::remove_dir_all(&directory).expect("removed");
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn writes_only_below_what_is_writable(directory: &Path) {
    let (inside, outside) = (directory.join("inside"), directory.join("outside.txt"));
    let applied = confine::confine(&[&inside], true, true).expect("confined");
    assert!(!applied.connect_denied && !applied.bind_denied);
    if applied.abi == 0 {
        return;
    }
    fs::write(inside.join("new.txt"), "text").expect("written inside");
    fs::create_dir(inside.join("sub")).expect("made inside");
    fs::rename(inside.join("new.txt"), inside.join("sub/moved.txt")).expect("moved inside");
    assert_eq!(fs::read(&outside).expect("readable"), b"kept");
    assert!(denied(File::create(directory.join("new.txt"))));
    assert!(denied(fs::write(&outside, "changed")));
    assert!(denied(fs::remove_file(&outside)));
    assert!(denied(fs::create_dir(directory.join("sub"))));
    assert!(denied(std::os::unix::fs::symlink(
        &outside,
        directory.join("link")
    )));
    assert!(fs::rename(inside.join("sub/moved.txt"), directory.join("moved.txt")).is_err());
    assert!(denied(File::create("/dev/null")));
    if applied.abi >= 3 {
        assert!(denied(
            File::options().write(true).truncate(true).open(&outside)
        ));
    }
    assert_eq!(fs::read(&outside).expect("readable"), b"kept");
    // What a process starts is as confined as it is.
    let script = format!("echo changed > '{}'", outside.display());
    assert!(
        !Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .expect("sh runs")
            .status
            .success()
    );
}

fn tcp_is_denied_and_open_listeners_go_on(_: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    let peer = TcpStream::connect(address).expect("connected");
    let applied = confine::confine(&[], false, false).expect("confined");
    assert_eq!(
        (applied.connect_denied, applied.bind_denied),
        (applied.abi >= 4, applied.abi >= 4)
    );
    listener.accept().expect("an open listener accepts");
    drop(peer);
    if applied.bind_denied {
        assert!(denied(TcpStream::connect(address)));
        assert!(denied(TcpListener::bind("127.0.0.1:0")));
    }
    UdpSocket::bind("127.0.0.1:0").expect("UDP is not TCP");
}

fn bind_can_be_allowed_alone(_: &Path) {
    let applied = confine::confine(&[], false, true).expect("confined");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let connected = TcpStream::connect(listener.local_addr().expect("address"));
    assert_eq!(denied(connected), applied.connect_denied);
    assert!(!applied.bind_denied);
}

fn a_single_file_can_be_writable(directory: &Path) {
    let outside = directory.join("outside.txt");
    let applied =
        confine::confine(&[Path::new("/dev/null"), &outside], false, false).expect("confined");
    fs::write("/dev/null", "x").expect("written");
    fs::write(&outside, "changed").expect("written");
    assert_eq!(applied.abi > 0, denied(fs::remove_file(&outside)));
}

fn a_missing_path_is_named(directory: &Path) {
    if confine::landlock_abi() > 0 {
        let missing = directory.join("missing");
        let error = confine::confine(&[&missing], false, false).expect_err("missing");
        assert!(
            error.to_string().contains("missing: No such file"),
            "{error}"
        );
        File::create(directory.join("still-free")).expect("a failed call confines nothing");
    }
}

fn a_second_thread_is_refused(_: &Path) {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv());
    if confine::landlock_abi() > 0 {
        let error = confine::confine(&[], false, false).expect_err("two threads");
        assert!(error.to_string().contains("2 threads"), "{error}");
    }
    release.send(()).expect("sent");
    thread.join().expect("joined").expect("received");
}

fn status_field(name: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .expect("the field");
    line.trim().to_owned()
}

fn privileges_are_gone(directory: &Path) {
    let none = "0000000000000000";
    let was_root = status_field("CapEff") != none;
    if was_root {
        assert!(confine::drop_bounding_set().expect("dropped") > 30);
        assert_eq!(status_field("CapBnd"), none);
        assert_eq!(confine::drop_bounding_set().expect("nothing left"), 0);
    }
    confine::drop_capabilities().expect("dropped");
    confine::no_new_privs().expect("set");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status_field(set), none, "{set}");
    }
    assert_eq!(status_field("NoNewPrivs"), "1");
    if was_root {
        // Without CAP_DAC_OVERRIDE a mode of 0 holds for root too.
        let closed: PathBuf = directory.join("outside.txt");
        fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o000))
            .expect("changed");
        assert!(denied(fs::read(&closed)));
    }
}

fn the_process_is_named(_: &Path) {
    confine::set_process_name("chaffinch: décoys").expect("named");
    assert_eq!(status_field("Name"), "chaffinch: déc");
    assert!(confine::set_process_name("a\0b").is_err());
}

fn the_parent_death_signal_is_set(_: &Path) {
    confine::set_parent_death_signal(15).expect("set");
    confine::set_parent_death_signal(0).expect("unset");
    assert!(confine::set_parent_death_signal(-1).is_err());
    assert!(confine::set_parent_death_signal(1000).is_err());
}

fn the_process_is_not_dumpable(_: &Path) {
    use std::os::unix::fs::MetadataExt;
    confine::set_dumpable(false).expect("set");
    assert_eq!(fs::metadata("/proc/self/environ").expect("there").uid(), 0);
    fs::read_to_string("/proc/self/smaps_rollup").expect("its own memory it still sees");
}

fn a_network_namespace_is_made_entered_and_removed(directory: &Path) {
    const OWN: &str = "/proc/thread-self/ns/net";
    let here = fs::read_link(OWN).expect("the own namespace");
    let name = directory.join("inside/net");
    if let Err(error) = confine::make_network_namespace(&name) {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(!name.exists(), "a failed call leaves nothing");
        return println!("without root no network namespace can be made");
    }
    assert_eq!(
        confine::make_network_namespace(&name)
            .expect_err("it is there")
            .kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(fs::read_link(OWN).expect("the own namespace"), here);
    confine::enter_network_namespace(&name).expect("entered");
    assert_ne!(fs::read_link(OWN).expect("the other namespace"), here);
    assert!(TcpStream::connect("127.0.0.1:9").is_err(), "lo is down");
    confine::remove_network_namespace(&name).expect("removed");
    assert!(!name.exists());
    File::create(&name).expect("a file that is no mount");
    assert!(confine::enter_network_namespace(&name).is_err());
    confine::remove_network_namespace(&name).expect("removed all the same");
    assert!(!name.exists());
}

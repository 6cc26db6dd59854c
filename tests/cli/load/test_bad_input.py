"""What `chaffinch load` refuses: one sentence that says what is wrong and what to do, and the exit code 2."""

import os
from pathlib import Path

import pytest

from tests.cli.load.calling import Caller, call

URL = "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say what to send to: a URL such as http://127.0.0.1:8080/, a scenario file, or --from-env"),
        (("ftp://127.0.0.1/",), '"ftp://127.0.0.1/" is not a URL: write it like http://127.0.0.1:8080/path'),
        (("127.0.0.1:8080",), "127.0.0.1:8080 is no file; if it is a host, write http://127.0.0.1:8080"),
        (("nothing.yaml",), "nothing.yaml cannot be read (No such file or directory): name a scenario file"),
        (("http://${host}/",), '"http://${host}/" has a variable in its host: only hosts that are named are contacted'),
        ((URL, "--duration", "0s"), "duration is 0: it must be from 1 to 31,622,400,000"),
        (
            (URL, "--duration", "soon"),
            '--duration: "soon" is not a duration: write it like 500ms, 30s, 5m, 1h30m or 2d',
        ),
        ((URL, "--rate", "fast"), '--rate: "fast" is not a rate: write requests a second, or like 500/s or 30/m'),
        ((URL, "--rate", "0", "-n", "5"), "a rate of 0 never makes 5 requests: give a rate, or a --duration"),
        ((URL, "--requests", "-1"), "requests is -1: it must be from 0 to 1,000,000,000,000,000"),
        ((URL, "--concurrency", "0"), "concurrency is 0: it must be from 1 to 1,000,000"),
        (
            (URL, "--rate", "5", "--model", "ramp:1-2:1m"),
            "a rate goes with no model but constant: the others have their own rates",
        ),
        ((URL, "--model", "constant"), 'the model "constant": it needs a rate: give one, or write constant:500'),
        ((URL, "--threshold", "p99<"), '(character 5 of the threshold "p99<")'),
        ((URL, "--threshold", "p98<1s"), '"p98" is not kept by results: use p50, p90, p95, p99, p99.9 or max'),
        ((URL, "--memory", "much"), '--memory: "much" is not a size: write it like 512, 10KB or 1MiB'),
        ((URL, "--memory", "1M"), "--memory of 1.0 MB cannot hold this run, which takes "),
        ((URL, "--header", "Accept"), "--header 'Accept' has no colon: write it like 'Accept: text/html'"),
        ((URL, "--body", "a", "--body-file", "b"), "--body and --body-file both say what is sent: give one of them"),
        (
            (URL, "--body-file", "nothing"),
            "--body-file nothing cannot be read (No such file or directory): name a file",
        ),
        ((URL, "--method", "G T"), '"G T" is not a method'),
        (
            (URL, "--cert", "c.pem"),
            "a client certificate needs its key, and a key its certificate: give both or neither",
        ),
        ((URL, "--resolve", "a"), '"a" is not host:address:port, such as example.test:127.0.0.1:8443'),
        ((URL, "--watch"), "--watch looks at a scenario file: name one"),
        ((URL, "--from-env"), "--from-env takes its URL from TARGET_URL: leave out the one that is given here"),
        (("--from-env",), "TARGET_URL: it is missing"),
        (("--from-env", "--body", "x"), "--body goes with a URL: the environment says by itself what is sent"),
        ((URL, "--json", "no/x.json"), "--json no/x.json: there is no directory no; make it first"),
        ((URL, "--html", "."), "--html .: this is a directory; name a file in it"),
        ((URL, "--json", "a", "--csv", "./a"), "--csv and --json both name ./a: give each a file of its own"),
        ((URL, "--csv", "/proc/nothing"), "--csv /proc/nothing: "),
        ((URL, "--csv", "-"), "--csv -: intervals go to a file while the run goes on; name one"),
        ((URL, "--json", ""), "--json has an empty name: name a file, or leave it out"),
        ((URL, "--body-file", "state", "--html", "state"), "--html state: this is what is read; name another file"),
        # URLs without a host, with a port that is none, or that are no address at all.
        (("http://",), '"http://" is not a URL: write it like http://127.0.0.1:8080/path'),
        (("http:///x",), '"http:///x" is not a URL'),
        (("https://:80/",), '"https://:80/" is not a URL'),
        (("http://a:99999/",), '"99999" is not a port: 1 to 65535'),
        (("http://a b/",), '"a b" is not a host'),
        (("http://[::1/",), '"http://[::1/" is not a URL'),
        (("",), "the scenario file has an empty name: give one, or leave it out"),
        # Huge, negative and fractional numbers.
        ((URL, "--rate", "99999999999"), '--rate: "99999999999" is too high: at most 10,000,000/s'),
        ((URL, "--rate", "1e308"), '--rate: "1e308" is not a rate'),
        ((URL, "--rate", "-5"), '--rate: "-5" is not a rate'),
        ((URL, "--rate", "nan"), '--rate: "nan" is not a rate'),
        ((URL, "--rate", "inf"), '--rate: "inf" is not a rate'),
        ((URL, "-c", "9" * 30), "it must be from 1 to 1,000,000"),
        ((URL, "-c", "1.5"), "Invalid value for '--concurrency' / '-c': '1.5' is not a valid integer."),
        ((URL, "-n", "9" * 30), "it must be from 0 to 1,000,000,000,000,000"),
        ((URL, "-d", "99999d"), '--duration: "99999d" is too long: at most 366d'),
        ((URL, "-d", "1us"), '--duration: "1us" is not a whole number of milliseconds'),
        ((URL, "--timeout", "0s"), "timeout is 0: it must be from 1 to "),
        ((URL, "--connect-timeout", "0s"), "connect-timeout is 0: it must be from 1 to "),
        ((URL, "--threads", "0"), "threads is 0: it must be from 1 to 256"),
        ((URL, "--connections", "0"), "connections is 0: it must be from 1 to 1,000,000"),
        ((URL, "--http2", "--streams", "5000"), "streams is 5,000: it must be from 1 to 1,000"),
        ((URL, "--labels", "0"), "labels is 0: it must be from 1 to 10,000,000"),
        ((URL, "--sampling", "101"), '--sampling: "101" is not a percentage from 0 to 100'),
        ((URL, "--seed", "9" * 30), "it must be from 0 to 9,223,372,036,854,775,807"),
        ((URL, "--memory", "0"), "--memory of 0.0 MB cannot hold this run"),
        ((URL, "--memory", "9" * 30 + "T"), "is not a size"),
        ((URL, "--model", "constant:1e9"), 'the model "constant:1e9": "1e9" is not a rate'),
        ((URL, "--model", "steps:1*0s"), "a time of 0 is no time: give more"),
        ((URL, "--model", "replay:none:1s"), "none is not a file"),
        # What is sent.
        ((URL, "--method", ""), '"" is not a method: use letters, such as GET or POST'),
        ((URL, "-H", "A: b\nc: d"), "the header A has a line break or control character in its value"),
        ((URL, "-H", "A B: x"), '"A B" is not a header\'s name'),
        ((URL, "--resolve", "a:127.0.0.1:99999"), '"99999" is not a port: 1 to 65535'),
        (("https://127.0.0.1:1/", "--ca", "state"), "state cannot be read: Is a directory"),
        (("https://127.0.0.1:1/", "--ca", "nothing.pem"), "nothing.pem cannot be read: No such file or directory"),
        # Options that are not there.
        ((URL, "--nonsense"), "No such option '--nonsense'."),
        ((URL, "http://another/"), "Got unexpected extra argument (http://another/)"),
    ],
)
def test_a_run_is_refused(
    load: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in load.refused("run", *arguments)
    assert os.listdir(tmp_path) == ["state"]


def test_a_broken_file_is_told_by_its_line(load: Caller, tmp_path: Path) -> None:
    file = tmp_path / "page.yaml"
    file.write_text('version: "1.0"\nscenarios: [\n')
    assert load.refused("run", file).startswith(f"{file}:3: this is not YAML: ")
    file.write_text(
        'version: "1.0"\nconfig: {timeot: 1s}\nscenarios: [{name: a, steps: [{request: {path: "http://a/"}}]}]\n'
    )
    assert load.refused("run", file).startswith(f'{file}:2: field config: there is no key "timeot" here')
    file.write_bytes(b"\xff\xfe")
    assert "this is not UTF-8" in load.refused("run", file)
    file.write_text('version: "2.0"\n')
    assert '"1.0"' in load.refused("run", file)
    for text, told in (
        ("", "the file is empty"),
        ("'just text'", "a scenario file is a mapping"),
        ("[1]", "a mapping"),
    ):
        file.write_text(text)
        assert load.refused("run", file).startswith(f"{file}:1: ")
        assert told in load.refused("run", file)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "FILE"),
        ("serve", "FILE", "--listen", "127.0.0.1:0"),
        ("import", "har", "FILE"),
        ("compare", "FILE", "FILE"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_name(load: Caller, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A directory, a file whose reading fails whoever asks, one that is not there."""
    for file, why in (
        (tmp_path, "Is a directory"),
        (Path("/proc/self/mem"), "Input/output error"),
        (tmp_path / "none.yaml", "No such file or directory"),
    ):
        told = load.refused(*(file if one == "FILE" else one for one in arguments))
        assert told.startswith(f"{file} cannot be read ({why}): name a ")


def test_no_report_takes_the_place_of_what_is_read(load: Caller, tmp_path: Path) -> None:
    page, other = tmp_path / "page.yaml", tmp_path / "other.yaml"
    page.write_text('version: "1.0"\nscenarios: [{name: a, steps: [{request: {path: "http://127.0.0.1:1/"}}]}]\n')
    before = page.read_bytes()
    other.symlink_to(page)
    for name in ("--json", "--html", "--csv"):
        assert "this is what is read; name another file" in load.refused("run", page, name, page)
        assert "this is what is read; name another file" in load.refused("run", page, name, other)
    assert "this is what is read; name another file" in load.refused("import", "curl", page, "-o", page)
    assert page.read_bytes() == before


def test_what_the_engine_refuses_has_its_line_too(load: Caller, tmp_path: Path) -> None:
    file = tmp_path / "page.yaml"
    file.write_text(
        'version: "1.0"\nconfig: {duration: 1s}\nscenarios:\n  - name: a\n    steps:\n'
        "      - {name: b, request: {path: 'http://127.0.0.1:1/${nobody}'}}\n"
    )
    assert load.refused("run", file).startswith(f'{file}:6: scenario "a", step "b", ')


def test_a_file_that_may_not_be_written_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    target = tmp_path / "kept.json"
    target.mkdir()
    done = call(tmp_path / "state", "run", URL, "--json", target)
    assert done.returncode == 2
    assert done.stdout == b""
    assert not (tmp_path / "state").exists()


def test_what_errors_name_does_not_drive_the_terminal(load: Caller) -> None:
    assert "\\x1b]0;owned" in load.refused("run", "\x1b]0;owned\x07.yaml")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("compare", "nothing.json", "b.json"), "nothing.json cannot be read (No such file or directory)"),
        (("compare", "page.yaml", "page.yaml"), "page.yaml is not JSON: "),
        (("compare", "/dev/zero", "page.yaml"), "/dev/zero is larger than 512 MiB, which no results are"),
        (("compare", "empty.json"), "Missing argument 'B.json'."),
        (("compare", "empty.json", "empty.json"), "empty.json has no results of a load run: "),
        (("compare", "empty.json", "empty.json", "--noise", "lots"), '--noise: "lots" is not a percentage'),
        (("import", "curl", "page.yaml"), "page.yaml:1: "),
        (("import", "har", "page.yaml"), "page.yaml"),
        (("import", "openapi", "page.yaml"), "page.yaml"),
        (("import", "curl", "nothing"), "nothing cannot be read (No such file or directory)"),
        (("import", "curl", "page.yaml", "--host", "a"), "--host goes with har, not with curl: leave it out"),
        (("import", "openapi", "nothing.yaml"), "nothing.yaml is empty: name an OpenAPI description"),
        (("import", "openapi", "page.yaml", "-o", "no/x"), "--output no/x: there is no directory no; make it first"),
        (("import", "openapi", "page.yaml", "-o", "."), "--output .: this is a directory; name a file in it"),
        (("import", "har"), "Missing argument 'FILE'."),
        (("import", "postman", "page.yaml"), "'postman' is not one of 'curl', 'har', 'openapi'"),
        (("plan",), "Missing option '--ram'"),
        (("plan", "--ram", "lots"), '--ram: "lots" is not a size'),
        (("plan", "--ram", "2G", "--labels", "0"), "labels: 0 is outside of 1 to "),
        (("plan", "--ram", "2G", "--target", URL), "--target goes with --check: give both"),
        (("plan", "--ram", "2G", "--check", "--transport", "tls"), "--check with tls needs a server of yours"),
        (("plan", "--ram", "2G", "--check", "--seconds", "0"), "--seconds is 0: it must be from 0.1 to 3,600"),
        (("plan", "--ram", "2G", "--check", "--seconds", "nan"), "--seconds is nan: it must be from 0.1 to 3,600"),
        (("plan", "--ram", "0"), "ram: 0 is outside of 1 to "),
        (("plan", "--ram", "9" * 20 + "T"), "--ram: "),
        (("plan", "--ram", "2G", "--rate", "0"), "rate: 0.0 is outside of 0.001 to 10,000,000"),
        (("plan", "--ram", "2G", "--concurrency", "9" * 30), "is outside of 1 to 1,000,000"),
        (("plan", "--ram", "2G", "--duration", "0s"), "duration: 0.0 is outside of 0.001 to "),
        (("plan", "--ram", "2G", "--threads", "0"), "threads: 0 is outside of 1 to 256"),
        (("plan", "--ram", "2G", "--transport", "quic"), "'quic' is not one of 'plain', 'tls', 'http2'"),
        (("plan", "--ram", "2G", "--check", "--target", "here"), '--target: "here" is not a URL'),
        (("serve", "page.yaml"), "page.yaml:1: "),
        (("serve", ""), "the scenario file has an empty name: give one, or leave it out"),
        (("serve", URL), f"{URL} is a URL, where a scenario file belongs: name a file"),
        (("serve", "--listen", "127.0.0.1"), "--listen is '127.0.0.1': write it like 127.0.0.1:8080"),
        (("serve", "--listen", ":8080"), "--listen is ':8080': write it like 127.0.0.1:8080"),
        (("serve", "--listen", "127.0.0.1:99999"), "--listen is '127.0.0.1:99999': write it like 127.0.0.1:8080"),
        (("serve", "--listen", "0.0.0.0:0"), "0.0.0.0 can be reached from other machines"),
        (
            ("serve", "--token-file", "none"),
            "--token-file none cannot be read (No such file or directory): name a file",
        ),
        (("serve", "--token-file", "nothing.yaml"), "--token-file nothing.yaml holds no token: write one line"),
        (("serve", "--token-file", "binary"), "--token-file binary is no text: write one line"),
        (("serve", "--memory", "lots"), '--memory: "lots" is not a size'),
        (("serve", "good.yaml", "--memory", "1M", "--listen", "127.0.0.1:0"), "cannot hold this run, which takes "),
    ],
)
def test_other_commands_refuse_too(
    load: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.yaml").write_text("this: is\nno: request\n")
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "nothing.yaml").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "good.yaml").write_text(
        'version: "1.0"\nscenarios: [{name: a, steps: [{request: {path: "http://a/"}}]}]\n'
    )
    assert sentence in load.refused(*arguments)

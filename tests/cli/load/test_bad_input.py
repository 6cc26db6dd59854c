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
        ((URL, "--duration", "0s"), "the duration is 0: it must be from 1 to 31,622,400,000"),
        (
            (URL, "--duration", "soon"),
            '--duration: "soon" is not a duration: write it like 500ms, 30s, 5m, 1h30m or 2d',
        ),
        ((URL, "--rate", "fast"), '--rate: "fast" is not a rate: write requests a second, or like 500/s or 30/m'),
        ((URL, "--rate", "0", "-n", "5"), "a rate of 0 never makes 5 requests: give a rate, or a --duration"),
        ((URL, "--requests", "-1"), "the requests is -1: it must be from 0 to 1,000,000,000,000,000"),
        ((URL, "--concurrency", "0"), "the concurrency is 0: it must be from 1 to 1,000,000"),
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
        (("compare", "empty.json", "empty.json"), "empty.json has no results of a load run: "),
        (("compare", "empty.json", "empty.json", "--noise", "lots"), '--noise: "lots" is not a percentage'),
        (("import", "curl", "page.yaml"), "page.yaml:1: "),
        (("import", "har", "page.yaml"), "page.yaml"),
        (("import", "openapi", "page.yaml"), "page.yaml"),
        (("import", "curl", "nothing"), "nothing cannot be read (No such file or directory)"),
        (("import", "curl", "page.yaml", "--host", "a"), "--host goes with har, not with curl: leave it out"),
        (("import", "postman", "page.yaml"), "'postman' is not one of 'curl', 'har', 'openapi'"),
        (("plan",), "Missing option '--ram'"),
        (("plan", "--ram", "lots"), '--ram: "lots" is not a size'),
        (("plan", "--ram", "2G", "--labels", "0"), "labels: 0 is outside of 1 to "),
        (("plan", "--ram", "2G", "--target", URL), "--target goes with --check: give both"),
        (("plan", "--ram", "2G", "--check", "--transport", "tls"), "--check with tls needs a server of yours"),
        (("plan", "--ram", "2G", "--check", "--seconds", "0"), "--seconds is 0: it must be from 0.1 to 3,600"),
    ],
)
def test_other_commands_refuse_too(
    load: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.yaml").write_text("this: is\nno: request\n")
    (tmp_path / "empty.json").write_text("{}")
    assert sentence in load.refused(*arguments)

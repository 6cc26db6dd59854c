"""The shell's answers beside those of the real bash and coreutils for the same lines in the same directory."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.shell import Shell
from chaffinch.decoys.view import View
from chaffinch.personas.files import Files
from tests.decoys.harness import persona

LINES = [
    "echo hello  world",
    "echo -n a; echo b",
    r"echo -e 'a\tb\x41\n'",
    "echo 'a  b' \"c  d\"",
    "echo $((1+2*3)) $((7/2)) $((2**10)) $((10%3))",
    "echo $HOMEX-${HOMEX:-unset}",
    "a=5; echo $a ${a}b ${#a}",
    "a='x y'; echo $a \"$a\"",
    "a=path/to/file; echo ${a##*/} ${a%/*}",
    "echo a b | tr a-z A-Z",
    "printf '%s-%03d|%x\\n' a 5 255",
    "printf '%5s|%-5s|\\n' ab cd",
    "printf '\\101\\n'",
    "true && echo yes || echo no",
    "false && echo yes || echo no",
    "! true; echo $?",
    "foo",
    "foo bar; echo $?",
    "./missing",
    "./",
    "cat missing",
    "cat sub",
    "cat a.txt missing",
    "cd missing",
    "cd a.txt",
    "cd sub && pwd | sed s/x/x/ >/dev/null; echo $?",
    "ls",
    "ls -1",
    "ls -a sub",
    "ls missing",
    "ls -d sub",
    "ls *.txt",
    "ls a.txt missing; echo $?",
    "ls -z",
    "mkdir sub",
    "mkdir",
    "mkdir missing/x",
    "mkdir -p d/e/f && ls d/e",
    "rmdir sub",
    "rmdir missing",
    "rm missing",
    "rm sub",
    "rm -f missing; echo $?",
    "rm",
    "cp",
    "cp a.txt",
    "cp missing b",
    "cp sub b",
    "cp a.txt z.txt; cat z.txt",
    "mv missing b",
    "mv a.txt",
    "touch",
    "touch missing/x",
    "touch n.txt; ls",
    "chmod 999 a.txt",
    "chmod",
    "chmod +x missing",
    "chmod 755",
    "ln -s a.txt l; cat l",
    "ln -s a.txt b.txt",
    "head -n 2 lines",
    "head -c 5 lines",
    "head missing",
    "head -n x lines",
    "tail -n 2 lines",
    "tail -2 lines",
    "tail -n +3 lines",
    "tail missing",
    "wc -l lines",
    "wc -l < lines",
    "wc -c lines",
    "sort lines",
    "sort -r lines",
    "sort -n nums",
    "sort -u lines",
    "sort missing",
    "uniq lines",
    "sort lines | uniq -c",
    "cut -d: -f1 fields",
    "cut -d: -f2- fields",
    "cut -c1-3 lines",
    "cut fields",
    "grep b lines",
    "grep -v b lines",
    "grep -c b lines",
    "grep -n b lines",
    "grep zzz lines; echo $?",
    "grep b missing",
    "grep -i B lines",
    "grep -o 'r.' lines",
    "grep -q b lines && echo y",
    "tr",
    "tr -d a < a.txt",
    "echo aabb | tr -s ab",
    "echo aGk= | base64 -d",
    "echo hi | base64",
    "echo '***' | base64 -d",
    "md5sum a.txt",
    "sha256sum a.txt missing",
    "seq 3",
    "seq 2 2 8",
    "basename /a/b.c .c",
    "dirname /a/b/c",
    "[ -f a.txt ] && echo f",
    "[ -d sub ] && echo d",
    "[ a = b ]; echo $?",
    "[ 3 -lt 5 ] && echo lt",
    "test -e missing; echo $?",
    "[ -z '' ] && echo z",
    "[ a",
    "[ ! -f missing ] && echo none",
    "for i in 1 2 3; do echo $i; done",
    'for f in *.txt; do echo "f: $f"; done',
    "if [ -f a.txt ]; then echo y; else echo n; fi",
    "i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done",
    "(cd sub; pwd) | wc -l",
    "{ echo a; echo b; } | tail -1",
    "echo $(echo nested $(echo deep))",
    "echo `echo tick`",
    'x=$(cat missing 2>/dev/null); echo "[$x] $?"',
    "cat missing 2>/dev/null; echo $?",
    "cat missing 2>&1 | wc -l",
    "echo to > o.txt; echo more >> o.txt; cat o.txt",
    "cat < missing",
    "echo x > missing/y",
    "echo x > sub",
    "cat <<< here",
    "echo a; exit 3; echo b",
    "exit abc",
    "sh -c 'echo $0 $1' zero one",
    "sh -c foo",
    "sh -c 'cd missing'",
    "sh -c 'echo x > missing/y'",
    "bash -c 'foo'",
    "sh missing",
    "echo 'echo from script $1' > s.sh; sh s.sh arg",
    "echo 'echo hi' | sh",
    ")",
    "echo 'unclosed",
    "if true",
    "&& x",
    "echo a | | b",
    "type cd",
    "type missing-command",
    "command -v cd; command -v nope; echo $?",
    "export A=1; env | grep ^A=",
    "A=2 env | grep ^A=",
    "export 1x=2",
    "unset A; echo [$A]",
    "echo {a,b}c {1..3}",
    "echo 'a*' a*",
    "echo nomatch*",
    "echo \\$HOME",
    "echo ~nobodyx",
    "true; echo $?; false; echo $?",
    "cd /; pwd; cd - >/dev/null; echo $?",
    "dd if=a.txt bs=2 count=1 2>/dev/null; echo",
    "dd foo=1",
    "find . -name '*.txt' | sort",
    "find missing",
    "find . -type d | sort",
    "stat missing",
    "readlink l2",
    "sleep",
    "sleep x",
    "uname -s",
    "uname extra",
    "whoami",
    "id -u",
    "printf",
    "yes | head -2",
    "echo $#",
    "set -- a b c; echo $# $2",
    "shift; echo $?",
    "eval 'echo ev'",
    ". ./missing",
    'read x < a.txt; echo "$x"',
    "sed s/r/R/ lines",
    "sed -n 2p lines",
    "awk -F: '{print $2}' fields",
    "rev a.txt",
    "tac lines",
    "kill abc",
    "kill 999999",
    "history | wc -l",
    "busybox-missing 2>&1 | cat",
    "cat /etc/shells >/dev/null && echo ok",
    "a.txt",
    "./a.txt",
    "cat a.txt | sort | uniq | wc -l",
    "echo one >&2",
    "echo both &> o; cat o",
    "tee t.txt < a.txt; cat t.txt",
    "xargs echo < lines",
    "nice-missing",
    "mkdir x y; ls -d x y",
    "rm -r sub; ls -d sub",
    "cp -r sub sub2; ls sub2",
    "mv a.txt sub; ls sub",
]

FIXTURE = {
    "a.txt": "alpha\n",
    "b.txt": "beta\n",
    "lines": "bravo\nalpha\nbravo\ncharlie\n",
    "nums": "10\n9\n100\n",
    "fields": "a:b:c\nd:e:f\n",
}


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    for name, text in FIXTURE.items():
        (path / name).write_text(text)
    (path / "sub").mkdir()
    (path / "sub" / "inner").write_text("")
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("line", LINES)
def test_line_answers_as_bash_does(line: str, directory: Path) -> None:
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "USER": "root",
        "LOGNAME": "root",
    }
    real = subprocess.run(
        ["bash", "-c", line], cwd=directory, env=environment, capture_output=True, timeout=20, check=False
    )

    async def ours() -> tuple[bytes, bytes, int]:
        host = persona("ssh")
        root = host.users[0]
        view = View(Files(host), Overlays().of(host.address, "192.0.2.1"), root)
        view.mkdir(str(directory))
        for name, text in FIXTURE.items():
            view.write(f"{directory}/{name}", text.encode())
        view.mkdir(f"{directory}/sub")
        view.write(f"{directory}/sub/inner", b"")
        shell = Shell(host, root, view, source="192.0.2.1", interactive=False)
        shell.cwd = shell.variables["PWD"] = str(directory)
        result = await shell.run(line)
        return result.out, result.err, result.status

    shutil.rmtree(directory)
    out, err, status = asyncio.run(ours())
    directory.mkdir()
    assert (out, _spoken(err), status) == (real.stdout, _spoken(real.stderr), real.returncode)


def _spoken(err: bytes) -> list[bytes]:
    """Complaints without what differs by how bash was started (`bash: -c: line 1:` for syntax)."""
    return [line.replace(b"-c: ", b"") for line in err.splitlines()]

"""What tar and gzip make of what they are given: they write a plausible file, and can read none."""

from chaffinch.decoys.shell.call import Call, Command
from chaffinch.personas.files import FileError


async def tar(call: Call) -> int:
    name = next((arg for arg in call.args[1:] if not arg.startswith("-")), "")
    if not call.args:
        call.complain(
            "tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' "
            "options\nTry 'tar --help' or 'tar --usage' for more information."
        )
        return 2
    try:
        if "c" in call.args[0]:
            call.view.write(call.path(name), b"\x1f\x8b\x08\0" + bytes(10236))
            return 0
        data = call.view.read(call.path(name))
    except FileError as error:
        call.complain(f"tar: {name}: Cannot open: {error.strerror}\ntar: Error is not recoverable: exiting now")
        return 2
    if data.startswith(b"\x1f\x8b"):
        call.complain("\ngzip: stdin: unexpected end of file")
    call.complain("tar: This does not look like a tar archive\ntar: Exiting with failure status due to previous errors")
    return 2


async def gunzip(call: Call) -> int:
    for path in [arg for arg in call.args if not arg.startswith("-")]:
        try:
            data = call.view.read(call.path(path))
        except FileError as error:
            call.complain(f"gzip: {path}: {error.strerror}")
            return 1
        call.complain(
            f"\ngzip: {path}: {'unexpected end of file' if data.startswith(bytes((31, 139))) else 'not in gzip format'}"
        )
        return 1
    return 0


COMMANDS: dict[str, Command] = {
    "tar": tar,
    "gunzip": gunzip,
    "gzip": gunzip,
    "zcat": gunzip,
}

"""EVAL and its kin. No script runs: the few forms that probes use are read, every other script returns nothing."""

import hashlib
import re

from chaffinch.decoys.redis.client import Client, command
from chaffinch.decoys.redis.dispatch import call, find
from chaffinch.decoys.redis.protocol import EMPTY, OK, array, bulk, integer
from chaffinch.decoys.redis.store import CommandError
from chaffinch.decoys.redis.values import integer_in

SCRIPTS = 64
"""How many scripts one source may load."""

_STRING = rb"'[^'\\\n]*'|\"[^\"\\\n]*\""
_TERM = rb"(?:" + _STRING + rb"|-?\d{1,15}|KEYS\[\d{1,3}\]|ARGV\[\d{1,3}\])"
_RETURN = re.compile(rb"\s*return\s+(" + _TERM + rb")\s*;?\s*")
_CALL = re.compile(rb"\s*return\s+redis\.p?call\(\s*(" + _TERM + rb"(?:\s*,\s*" + _TERM + rb"){0,30})\s*\)\s*;?\s*")
_EMPTY = re.compile(rb"\s*(?:return(?:\s+nil|\s+false)?)?\s*;?\s*")
_FORBIDDEN = re.compile(rb"\b(package|io|require|dofile|loadfile|debug|print|module)\b|\bos\s*\.\s*(?!clock)")
_WORD = re.compile(rb"\s*[A-Za-z_]\w*\s*")
_NO_SCRIPT = b"NOSCRIPT No matching script. Please use EVAL."


def _keys_and_arguments(args: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    count = integer_in(args[2])
    if count > len(args) - 3:
        raise CommandError(b"ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise CommandError(b"ERR Number of keys can't be negative")
    return args[3 : 3 + count], args[3 + count :]


@command("eval", "eval_ro")
def evaluate(client: Client, args: list[bytes]) -> bytes:
    keys, arguments = _keys_and_arguments(args)
    return _answer(client, args[1], keys, arguments)


@command("evalsha", "evalsha_ro")
def evalsha(client: Client, args: list[bytes]) -> bytes:
    keys, arguments = _keys_and_arguments(args)
    script = client.store.scripts.get(args[1].lower())
    if script is None:
        raise CommandError(_NO_SCRIPT)
    return _answer(client, script, keys, arguments)


def _answer(client: Client, script: bytes, keys: list[bytes], arguments: list[bytes]) -> bytes:
    digest = hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
    if found := _RETURN.fullmatch(script):
        term = _term(found[1], keys, arguments)
        return integer(int(found[1])) if found[1].lstrip(b"-").isdigit() else client.value(term)
    if found := _CALL.fullmatch(script):
        words = [_term(term, keys, arguments) for term in re.findall(_TERM, found[1])]
        return _called(client, [word for word in words if word is not None], digest)
    if not _EMPTY.fullmatch(script):
        if _WORD.fullmatch(script):
            raise CommandError(b"ERR Error compiling script (new function): user_script:1: '=' expected near '<eof>'")
        if found := _FORBIDDEN.search(script):
            name = found[1] or b"os"
            raise CommandError(
                b"ERR user_script:1: Script attempted to access nonexistent global variable '%b' "
                b"script: %b, on @user_script:1." % (name, digest)
            )
    return client.nil


def _term(term: bytes, keys: list[bytes], arguments: list[bytes]) -> bytes | None:
    if term[:1] in b"'\"":
        return term[1:-1]
    if not term.endswith(b"]"):
        return term
    at = int(term[5:-1]) - 1
    values = keys if term.startswith(b"KEYS") else arguments
    return values[at] if 0 <= at < len(values) else None


def _called(client: Client, words: list[bytes], digest: bytes) -> bytes:
    """A command that a script calls: an ordinary one, run as the client's own."""
    at = b" script: %b, on @user_script:1." % digest
    try:
        spec = find(words[0].lower(), words) if words else None
    except CommandError as problem:
        text = (
            b"Unknown Redis command called from script"
            if problem.reply.startswith(b"ERR unknown command")
            else (b"Wrong number of args calling Redis command from script")
        )
        raise CommandError(b"ERR " + text + at) from None
    if spec is None:
        raise CommandError(b"ERR Please specify at least one argument for this redis.call() call" + at)
    if "noscript" in spec.flags:
        raise CommandError(b"ERR This Redis command is not allowed from script" + at)
    return call(client, spec, words)


@command("script|load")
def script_load(client: Client, args: list[bytes]) -> bytes:
    digest = hashlib.sha1(args[2], usedforsecurity=False).hexdigest().encode()
    scripts = client.store.scripts
    if digest not in scripts and len(scripts) < SCRIPTS:
        client.store.grow(len(args[2]))
        scripts[digest] = args[2]
    return bulk(digest)


@command("script|exists")
def script_exists(client: Client, args: list[bytes]) -> bytes:
    return array(integer(int(digest.lower() in client.store.scripts)) for digest in args[2:])


@command("script|flush", "function|flush")
def script_flush(client: Client, args: list[bytes]) -> bytes:
    client.store.scripts.clear()
    return OK


@command("script|kill", "function|kill")
def script_kill(client: Client, args: list[bytes]) -> bytes:
    raise CommandError(b"NOTBUSY No scripts in execution right now.")


@command("function|list")
def function_list(client: Client, args: list[bytes]) -> bytes:
    return EMPTY

"""Expressions: parsed into a small tree, then computed for a row. None can reach anything outside its statement."""

import math
from collections.abc import Callable

import msgspec

from chaffinch.decoys.mysql import sql
from chaffinch.decoys.mysql.results import SqlError, Value, plain
from chaffinch.decoys.mysql.sql import Statement

MAX_DEPTH = 40
MAX_OPERATIONS = 200
"""How deeply a statement's expressions may nest and how many operations they may hold.

Past that the answer is the server's when its stack is used up.
"""


class Node(msgspec.Struct, frozen=True):
    """One operation. `op` is `literal`, `column`, `variable`, `call`, `subquery`, or an operator in lower case.

    `source` is the text it was read from, which names its column.
    """

    op: str
    value: Value = None
    name: str = ""
    arguments: tuple["Node", ...] = ()
    source: str = ""


class Scope(msgspec.Struct, frozen=True):
    """Where an expression finds what it does not hold itself."""

    column: Callable[[Node], Value]
    variable: Callable[[str], Value]
    call: Callable[[str, list[Value]], Value]
    subquery: Callable[[Node], list[Value]]


_BINARY = (
    ("or", "||", "xor"),
    ("and", "&&"),
    ("=", "<=>", "<", "<=", ">", ">=", "<>", "!="),
    ("+", "-"),
    ("*", "/", "%", "div", "mod"),
)
_SPELLINGS = {"||": "or", "&&": "and", "!=": "<>", "mod": "%"}
_RESERVED = frozenset(
    (
        *("from", "where", "limit", "order", "group", "having", "union", "into", "and", "or", "xor", "not", "as", "is"),
        *("in", "like", "between", "div", "mod", "for", "lock", "on", "inner", "left", "right", "join", "cross"),
        *("using", "asc", "desc", "set", "values", "procedure", "then", "when", "else", "end", "select", "regexp"),
        *("rlike", "collate", "offset"),
    )
)


def parse(statement: Statement, depth: int = 0) -> Node:
    """The expression that comes next. Raises `SqlError` (1064) where there is none."""
    return _binary(statement, 0, depth)


def _binary(statement: Statement, level: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise overrun()
    if level == len(_BINARY):
        return _unary(statement, depth)
    start = statement.at
    if level == 2 and statement.skip("not"):
        return _node(statement, start, "not", _binary(statement, level, depth + 1))
    left = _binary(statement, level + 1, depth)
    while True:
        token = statement.here
        if token is None or token.kind not in (sql.WORD, sql.OPERATOR):
            return left
        word = token.text.lower()
        if word in _BINARY[level]:
            statement.at += 1
            left = _node(statement, start, _SPELLINGS.get(word, word), left, _binary(statement, level + 1, depth + 1))
        elif level == 2 and (predicate := _predicate(statement, start, left, depth + 1)) is not None:
            left = predicate
        else:
            return left


def _predicate(statement: Statement, start: int, left: Node, depth: int) -> Node | None:
    """`IS NULL`, `IN`, `LIKE`, `BETWEEN` and their negations, if one comes next."""
    if statement.skip("is"):
        negated = statement.skip("not")
        if not statement.skip_any("null", "true", "false"):
            raise statement.error()
        return _negate(statement, start, _node(statement, start, "is null", left), negated)
    negated = statement.sees("not") and statement.skip("not")
    if statement.skip_any("like", "regexp", "rlike"):
        found = _node(statement, start, "like", left, _binary(statement, 3, depth))
    elif statement.skip("between"):
        low = _binary(statement, 3, depth)
        if not statement.skip("and"):
            raise statement.error()
        found = _node(statement, start, "between", left, low, _binary(statement, 3, depth))
    elif statement.skip("in"):
        statement.expect("(")
        if statement.sees("select"):
            found = _node(statement, start, "in", left, _subquery(statement))
        else:
            found = _node(statement, start, "in", left, *_arguments(statement, depth))
        statement.expect(")")
    elif negated:
        raise statement.error()
    else:
        return None
    return _negate(statement, start, found, negated)


def _negate(statement: Statement, start: int, node: Node, negated: bool) -> Node:
    return _node(statement, start, "not", node) if negated else node


def _unary(statement: Statement, depth: int) -> Node:
    start = statement.at
    if statement.skip_operator("-", "!", "~"):
        op = {"-": "negative", "!": "not", "~": "invert"}[statement.tokens[start].text]
        return _node(statement, start, op, _unary_of(statement, depth))
    if statement.skip_operator("+") or statement.skip("binary") or statement.skip("distinct"):
        return _unary_of(statement, depth)
    node = _primary(statement, depth)
    while statement.skip("collate"):
        statement.name()
    return node


def _unary_of(statement: Statement, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise overrun()
    return _unary(statement, depth + 1)


def _primary(statement: Statement, depth: int) -> Node:
    start = statement.at
    token = statement.next()
    if token.kind == sql.NUMBER:
        whole = token.text.isdigit() and len(token.text) <= 20
        return Node("literal", int(token.text) if whole else _float(token.text), source=token.text)
    if token.kind == sql.STRING:
        return Node("literal", token.text, source=token.text)
    if token.kind == sql.HEX:
        return Node("literal", bytes.fromhex(token.text), source=statement.source[token.start : token.end])
    if token.kind == sql.VARIABLE:
        return Node("variable", name=token.text, source=token.text)
    if token.kind == sql.PARAMETER:
        return Node("literal", None, name="?", source="?")
    if token.is_operator("("):
        inner = _subquery(statement) if statement.sees("select") else parse(statement, depth + 1)
        statement.expect(")")
        return _node(statement, start, inner.op, *inner.arguments, value=inner.value, name=inner.name)
    if token.is_operator("*"):
        return Node("column", name="*", source="*")
    if token.kind in (sql.WORD, sql.QUOTED):
        return _named(statement, start, depth)
    statement.at = start
    raise statement.error()


def _named(statement: Statement, start: int, depth: int) -> Node:
    """A constant, a function or a column."""
    token = statement.tokens[start]
    word = token.text.lower()
    if token.kind == sql.WORD:
        if word in ("null", "true", "false"):
            value = {"null": None, "true": 1, "false": 0}[word]
            return Node("literal", value, name=word, source=word.upper())
        if word in _RESERVED and not (word in ("left", "right", "mod", "values") and _opens(statement)):
            statement.at = start
            raise statement.error()
        if word in ("current_user", "current_timestamp", "current_date", "localtime") and not _opens(statement):
            return Node("call", name=word, source=token.text)
        if _opens(statement):
            statement.expect("(")
            arguments = () if statement.skip_operator(")") else _arguments(statement, depth + 1)
            if statement.tokens[statement.at - 1].text != ")" or arguments:
                statement.expect(")")
            return _node(statement, start, "call", *arguments, name=word)
    path = [token.text]
    while statement.skip_operator("."):
        path.append("*" if statement.skip_operator("*") else statement.name())
    return Node("column", name="\0".join(path[-3:]), source=path[-1])


def _opens(statement: Statement) -> bool:
    return statement.here is not None and statement.here.is_operator("(")


def _arguments(statement: Statement, depth: int) -> tuple[Node, ...]:
    found = [parse(statement, depth)]
    while True:
        if statement.skip_operator(",") or statement.skip_any("from", "using", "separator"):
            found.append(parse(statement, depth))
        elif statement.skip("as"):  # CAST(x AS type)
            while statement.here is not None and not statement.here.is_operator(")"):
                statement.next()
        elif statement.skip("order", "by"):  # GROUP_CONCAT(x ORDER BY y)
            parse(statement, depth)
        else:
            return tuple(found)


def _subquery(statement: Statement) -> Node:
    """The tokens up to the closing parenthesis; `name` is where they begin and end among the statement's tokens."""
    begin, open_ = statement.at, 1
    while True:
        token = statement.next()
        open_ += token.is_operator("(") - token.is_operator(")")
        if open_ == 0:
            statement.at -= 1
            return Node("subquery", name=f"{begin} {statement.at}")


def _node(statement: Statement, start: int, op: str, *arguments: Node, value: Value = None, name: str = "") -> Node:
    statement.operations += 1
    if statement.operations > MAX_OPERATIONS:
        raise overrun()
    tokens = statement.tokens
    source = statement.source[tokens[start].start : tokens[statement.at - 1].end]
    return Node(op, value, name, arguments, source)


def overrun() -> SqlError:
    """The error for what is nested deeper than is computed."""
    used = "292000 bytes used of a 299008 byte stack, and 16000 bytes needed"
    return SqlError(
        1436, "HY000", f"Thread stack overrun:  {used}.  Use 'mariadbd --thread_stack=#' to specify a bigger stack."
    )


# Computing


def evaluate(node: Node, scope: Scope) -> Value:
    """The expression's value in `scope`."""
    if node.op == "literal":
        return node.value
    if node.op in ("column", "variable", "subquery"):
        return _looked_up(node, scope)
    if node.op in ("and", "or", "xor"):
        return _logic(node, scope)
    if node.op == "in":
        return _contains(node, scope)
    values = [evaluate(argument, scope) for argument in node.arguments]
    if node.op == "call":
        return scope.call(node.name, values)
    if node.op == "is null":
        return int(values[0] is None)
    return None if None in values and node.op != "<=>" else _OPERATIONS[node.op](values)


def _looked_up(node: Node, scope: Scope) -> Value:
    if node.op == "column":
        return scope.column(node)
    if node.op == "variable":
        return scope.variable(node.name)
    found = scope.subquery(node)
    return found[0] if found else None


def truth(value: Value) -> bool:
    return value is not None and number(value) != 0


def _logic(node: Node, scope: Scope) -> Value:
    left = evaluate(node.arguments[0], scope)
    if node.op == "and" and left is not None and not truth(left):
        return 0
    if node.op == "or" and truth(left):
        return 1
    right = evaluate(node.arguments[1], scope)
    if node.op == "xor":
        return None if left is None or right is None else int(truth(left) != truth(right))
    decisive = truth(right) if node.op == "or" else right is not None and not truth(right)
    if decisive:
        return int(node.op == "or")
    return None if left is None or right is None else int(node.op == "and")


def _contains(node: Node, scope: Scope) -> Value:
    left = evaluate(node.arguments[0], scope)
    if len(node.arguments) == 2 and node.arguments[1].op == "subquery":
        among = scope.subquery(node.arguments[1])
    else:
        among = [evaluate(argument, scope) for argument in node.arguments[1:]]
    return None if left is None else int(any(value is not None and compare(left, value) == 0 for value in among))


def number(value: Value) -> int | float:
    """A value as a number, the way the server reads text: as much of a number as it begins with."""
    if isinstance(value, int | float):
        return value
    shown = (plain(value) or b"").strip()[:40]
    for end in range(len(shown), 0, -1):
        head = shown[:end]
        if head.lstrip(b"-").isdigit():
            return int(head)
        if head.replace(b".", b"", 1).lstrip(b"-").isdigit():
            return _float(head.decode())
    return 0


def string(value: Value) -> str:
    """A value as text; NULL is empty."""
    return (plain(value) or b"").decode("utf-8", "surrogateescape")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else 1.7976931348623157e308


def compare(left: Value, right: Value) -> int:
    """Below, at or above zero as `left` sorts before, with or after `right`: numbers as numbers, text without case."""
    if isinstance(left, str | bytes) and isinstance(right, str | bytes):
        a, b = string(left).lower().rstrip(" "), string(right).lower().rstrip(" ")
        return (a > b) - (a < b)
    x, y = number(left), number(right)
    return (x > y) - (x < y)


def _divide(values: list[Value]) -> Value:
    divisor = number(values[1])
    return None if divisor == 0 else float(number(values[0])) / divisor


def _divide_whole(values: list[Value]) -> Value:
    divisor = number(values[1])
    return None if divisor == 0 else int(number(values[0]) / divisor)


def _remainder(values: list[Value]) -> Value:
    divisor = number(values[1])
    if divisor == 0:
        return None
    left = number(values[0])
    return left - divisor * int(left / divisor)


def _ranged(result: float) -> Value:
    if not -(2**63) <= result < 2**64 and isinstance(result, int):
        raise SqlError(1690, "22003", "BIGINT value is out of range")
    return result


_OPERATIONS: dict[str, Callable[[list[Value]], Value]] = {
    "+": lambda v: _ranged(number(v[0]) + number(v[1])),
    "-": lambda v: _ranged(number(v[0]) - number(v[1])),
    "*": lambda v: _ranged(number(v[0]) * number(v[1])),
    "/": _divide,
    "div": _divide_whole,
    "%": _remainder,
    "negative": lambda v: -number(v[0]),
    "invert": lambda v: ~int(number(v[0])) & (1 << 64) - 1,
    "not": lambda v: int(not truth(v[0])),
    "=": lambda v: int(compare(v[0], v[1]) == 0),
    "<=>": lambda v: int(v[0] is v[1] is None or (None not in v and compare(v[0], v[1]) == 0)),
    "<": lambda v: int(compare(v[0], v[1]) < 0),
    "<=": lambda v: int(compare(v[0], v[1]) <= 0),
    ">": lambda v: int(compare(v[0], v[1]) > 0),
    ">=": lambda v: int(compare(v[0], v[1]) >= 0),
    "<>": lambda v: int(compare(v[0], v[1]) != 0),
    "like": lambda v: int(sql.like(string(v[0])[:512], string(v[1])[:64])),
    "between": lambda v: int(compare(v[0], v[1]) >= 0 >= compare(v[0], v[2])),
}

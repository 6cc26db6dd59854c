"""Mentions as Discord writes them, commands by prefix, and lengths."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaffinch.chat.content import WORDLESS, learned, mentions_bot, said_length, without_mention
from chaffinch.chat.seen import Seen

BOT = 17


def seen(text: str, *mentions: int) -> Seen:
    return Seen(1, 2, 2, 3, 4, text, 0, mentions=frozenset(mentions))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<@17> coffee", "coffee"),
        ("<@!17> coffee", "coffee"),
        ("coffee <@17>", "coffee"),
        ("is the <@17> coffee cold", "is the coffee cold"),
        ("<@17>, is the coffee cold?", ", is the coffee cold?"),
        ("<@17><@!17>", ""),
        ("  <@17>  ", ""),
        ("<@17> `<@17>` shows a mention", "`<@17>` shows a mention"),
        ("<@17>\nsecond line", "second line"),
        ("it's `not closed <@17>", "it's `not closed"),
    ],
)
def test_a_mention_is_answered_and_taken_out_of_the_text(text: str, left: str) -> None:
    assert mentions_bot(seen(text), BOT)
    assert without_mention(text, BOT) == left


@pytest.mark.parametrize(
    "text",
    [
        "@everyone wake up",
        "@here",
        "<@&17> is a role",
        "<@170> is somebody else",
        "<@117> too",
        "`<@17>`",
        "``a ` <@17>``",
        "```\n<@17>\n```",
        "```py\n`<@17>\n```",
        r"`\` and `<@17>`",
        r"\<@17>",
        "<#17> is a channel",
    ],
)
def test_what_is_no_mention_is_not_answered_and_stays(text: str) -> None:
    assert not mentions_bot(seen(text, 99), BOT)
    assert without_mention(text, BOT) == text


def test_a_reply_that_pings_the_bot_mentions_it() -> None:
    assert mentions_bot(seen("no idea", BOT), BOT)


def test_code_ends_where_discord_ends_it() -> None:
    assert mentions_bot(seen(r"`code\` <@17>"), BOT)
    assert mentions_bot(seen(r"\`no code <@17>`"), BOT)
    assert mentions_bot(seen("`one` <@17> ``two``"), BOT)
    assert mentions_bot(seen("```block``` <@17>"), BOT)


@given(st.text(alphabet="`\\<@!17> \na", max_size=60))
@example("`\\`<@17>`")
def test_what_is_taken_out_leaves_no_mention_and_all_words(text: str) -> None:
    left = without_mention(text, BOT)
    assert left == left.strip()
    assert left.replace(" ", "") in text.replace(" ", "") or mentions_bot(seen(text), BOT)
    if not mentions_bot(seen(text), BOT):
        assert left == text.strip()
    kept = "".join(text.split())
    for mention in ("<@17>", "<@!17>"):
        kept = kept.replace(mention, "")
    if "`" not in text and "\\" not in text and "<@" not in left:
        assert "".join(left.split()) == kept


@given(st.text(alphabet="`a", max_size=200))
def test_a_mention_after_closed_code_is_one(text: str) -> None:
    """Whatever stands before, a mention is inside of code or outside: both ways of asking agree."""
    text += "<@17>"
    assert mentions_bot(seen(text), BOT) == (without_mention(text, BOT) != text)


@pytest.mark.parametrize("text", ["`" * 4000, "` `` " * 800, "\\" * 4000, "<@17>`" * 600, "<@17> " * 600])
def test_what_strangers_write_is_read_in_linear_time(text: str) -> None:
    started = time.thread_time()
    without_mention(text + "<@17>", BOT)
    assert time.thread_time() - started < 0.2


@given(st.text())
def test_length_is_that_of_utf_16(text: str) -> None:
    assert said_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_what_is_learned_of_a_text() -> None:
    assert learned(" coffee ", ()) == learned("coffee", ("https://h/a.png",)) == "coffee"
    assert learned(" ", ("https://h/a.png",)) == WORDLESS
    assert learned("", ()) == ""


@given(st.text(alphabet=f"a {WORDLESS}"), st.booleans())
def test_nobody_can_type_what_stands_for_attachments_alone(text: str, attached: bool) -> None:
    found = learned(text, ("https://h/a.png",) if attached else ())
    assert WORDLESS not in found or (found == WORDLESS and attached)

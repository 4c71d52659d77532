"""What the page shows in a real browser, of events that are made up."""

import asyncio

import pytest

from sidegate_sidecar.fronts.http.http11.head import Head
from sidegate_sidecar.fronts.http.live.event import Rates, RingSeen, SourceSeen
from tests.support.browser.chromium import Browser
from tests.support.browser.events import Told, denied, event, line, node
from tests.support.browser.pages import SHOWN, page_of
from tests.support.in_process.cluster import cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUSY = Rates(300.0, 57.26, 0.0, 0.0, 300.0)
NASTY = "<img src=x onerror=alert(1)>\"'`${1}</table><script>alert(2)</script>"


async def test_who_is_limited_comes_first(chromium: Browser) -> None:
    """How many a second, and the keys with their rules, the most denied on top."""
    keys = [denied("login:a", "n2", 3_100), denied("api:b", "n1", 49, error=3)]
    told = Told(event("n1", "n2", rates=BUSY, denied=keys, error=3))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#answer", "Yes: 57 requests a second are denied.")
        rows = await tab.text("#denied tbody")
        assert rows.split() == [
            *("login:a", "login", "n2", "6,200", "3,100"),
            *("api:b", "api", "n1", "98", "±3", "49", "±3"),
        ]
        await tab.until_text("#error", "No count is further off than 3.")
        assert await tab.get("document.title") == "● sidegate n1"
        told.now = event("n1", "n2", denied=keys[1:])
        await tab.until_text("#answer", "Not now. 1 key was denied since ")
        assert "login:a" not in await tab.text("#denied")
        told.now = event("n1", "n2")
        await tab.until_text("#answer", "No. Nobody has been denied anything since ")
        assert await tab.text("#denied") == ""
        assert await tab.get("document.title") == "sidegate n1"


async def test_what_owners_did_not_decide_is_told_by_source(chromium: Browser) -> None:
    """With what each means; where owners decided everything, that is all."""
    told = Told(event("n1"))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#others", "Owners decided all 7,200 checks of the last minute.")
        assert await tab.text("#by-source") == ""
        sources = [SourceSeen("owner", 900, 0, 0, 0, 9), SourceSeen("open", 99, 1, 0, 0, 1)]
        told.now = event("n1", sources=sources)
        await tab.until_text("#others", "100 checks of 1,000 in the last minute, 10")
        await tab.until_text("#by-source", "let through by policy: nobody could be asked")
        told.now = event("n1", sources=[])
        await tab.until_text("#others", "No checks in the last minute.")


async def test_without_reports_that_is_said_and_the_ring_is_shown(chromium: Browser) -> None:
    told = Told(event("n1", "n2", rates=None, sources=[], rules=[]))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#answer", "reports are switched off")
        for part in ("#others", "#rules-say"):
            assert "reports are switched off" in await tab.text(part)
        assert "n2" in await tab.text("#nodes")


async def test_a_node_that_does_not_answer_is_named(chromium: Browser) -> None:
    """On top, in the ring, and among what happened; and when it answers again that is said."""
    told = Told(event("n1", "n2", "n3"))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#state", "Live: 3 of 3 nodes answer")
        assert await tab.text("#trouble") == ""
        told.now = event("n1", "n2", "n3", missing=["n2"])
        await tab.until_text("#trouble", "No answer from n2: what it decided is missing")
        assert await tab.text("#state") == "2 of 3 nodes answer"
        assert "doesn't answer" in await tab.text("#nodes tbody tr:first-child")
        assert "n2 doesn't answer." in await tab.text("#happened")
        told.now = event("n1", "n3")
        await tab.until_text("#happened", "n2 is gone; others own its keys now.")
        assert await tab.text("#trouble") == ""
        told.now = event("n1", "n2", "n3")
        await tab.until_text("#happened", "n2 has come, and is a member of the ring.")


async def test_nodes_that_have_other_rules_are_marked(chromium: Browser) -> None:
    """Each has its digest, where anyone has a rules file; one that hasn't said so isn't blamed."""
    told = Told(event("n1", "n2", "n3"))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#nodes", "n3")
        assert await tab.get("document.getElementById('rules-head').hidden") is True
        held = [("n1", "aabb"), ("n2", "ccdd"), ("n3", None)]
        nodes = [node(name, 1 / 3, me=name == "n1", rules=rules) for name, rules in held]
        told.now = event("n1", "n2", "n3", ring=RingSeen("6f", True, nodes, 2))
        said = "The nodes have 2 different rules in force: those of n2 aren't those of n1."
        await tab.until_text("#rules-differ", said)
        cells = "[...document.querySelectorAll('#nodes tbody td:last-child')]"
        texts = f"{cells}.map((it) => it.textContent).join()"
        assert await tab.get(texts) == "aabb,ccdd,unknown"
        assert await tab.get(f"{cells}.map((it) => it.className).join()") == ",wrong,"
        told.now = event("n1", "n2", ring=RingSeen("6f", True, nodes[:1]))
        await tab.until_text("#nodes", "aabb")
        await tab.until("!document.getElementById('rules-differ').textContent")


async def test_handovers_are_told_as_they_happen(chromium: Browser) -> None:
    """A node joins, is sent buckets, and has its place."""
    alone = event("n1")
    told = Told(alone)
    steps = [
        (node("n2", 0.0, owner=False, stage="joining"), "n2 has come, and is being sent"),
        (node("n2", 0.5, stage="settling"), "n2 has its place, and is sent the last changes."),
        (node("n2", 0.5, handed=12_000), "n2 has handed over 12,000 buckets."),
        (node("n2", 0.5, stage="flushing"), "n2 hands its buckets over, to leave."),
        (node("n2", 0.0, owner=False, stage="leaf"), "n2 is off the ring, and only forwards."),
    ]
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until(SHOWN)
        assert await tab.text("#nothing-happened") == "Nothing since this page was opened."
        for other, text in steps:
            ring = event("n1", "n2").ring
            nodes = [node("n1", 1 - other.share, me=True), other]
            told.now = event("n1", "n2", ring=type(ring)("d", agrees=True, nodes=nodes))
            await tab.until_text("#happened", text)
        assert await tab.text("#nothing-happened") == ""


async def test_a_stream_that_breaks_is_said_and_taken_up_again(chromium: Browser) -> None:
    """What is shown is marked as old meanwhile."""
    told = Told(event("n1"))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#state", "Live: the one node answers")
        live = one.http_server.live
        told.now = event("n1", rates=BUSY)
        await tab.until_text("#answer", "57")
        may, live._may = live._may, _may_not
        await tab.until_text("#trouble", "This node ended the connection. What you see is of ")
        assert await tab.text("#state") == "Not connected"
        assert await tab.get("document.querySelector('main').className") == "stale"
        live._may = may
        await tab.until_text("#state", "Live: the one node answers")
        assert await tab.text("#trouble") == ""
        assert await tab.get("document.querySelector('main').className") == ""


async def test_a_node_that_hangs_is_said(chromium: Browser) -> None:
    """Its connection stands, and nothing comes."""
    told, stuck = Told(event("n1")), asyncio.Event()
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#state", "Live")

        async def hang() -> bytes:
            await stuck.wait()
            return await told.look()

        one.http_server.live.look = hang
        await tab.until_text("#trouble", "This node says nothing.")
        stuck.set()
        await tab.until_text("#state", "Live")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
async def test_names_are_text_and_fit(chromium: Browser, width: int, *, dark: bool) -> None:
    """Whatever keys, rules and nodes are called, and however long; light and dark."""
    long = "x" * 500
    told = Told(
        event(
            NASTY,
            long,
            rates=BUSY,
            denied=[denied(f"{NASTY}:1", NASTY, 10), denied(long, long, 5)],
            sources=[SourceSeen(NASTY, 5, 5, 0, 0, 1)],
            rules=[line(NASTY), line(long)],
            missing=[long],
        )
    )
    async with cluster("n1") as (one,), page_of(chromium, one, told, width=width) as tab:
        await tab.darken(dark=dark)
        await tab.until(SHOWN)
        await tab.until_text("#denied", NASTY)
        for part in ("#name", "#by-source", "#nodes", "#lines"):
            assert NASTY in await tab.text(part)
        told.now = event(NASTY, rates=BUSY)
        await tab.until_text("#happened", f"{long} is gone")
        assert await tab.get("document.querySelectorAll('main img, main script').length") == 0


@pytest.mark.parametrize("count", [1, 50])
async def test_one_node_and_fifty_are_shown(chromium: Browser, count: int) -> None:
    """Each with an arc and a row; who doesn't answer is seen without scrolling."""
    names = [f"node-{at:02}" for at in range(count)]
    missing = names[-1:] if count > 1 else []
    told = Told(event(*names, missing=missing))
    async with cluster("n1") as (one,), page_of(chromium, one, told, width=390) as tab:
        await tab.until(SHOWN)
        assert await tab.get("document.querySelectorAll('#circle .arc').length") == count
        assert await tab.get("document.querySelectorAll('#nodes tbody tr').length") == count
        assert (missing or names)[0] in await tab.text("#nodes tbody tr:first-child")


async def test_a_rule_has_a_line_and_the_same_as_a_table(chromium: Browser) -> None:
    """Minute by minute, behind it."""
    told = Told(event("n1", more_rules=3))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#lines", "120/s allowed, 0/s denied")
        assert await tab.text("#more-rules") == "3 more rules have fewer checks and aren't shown."
        told.now = event("n1", rules=[line("api", refused=250)])
        await tab.until_text("#lines", "120/s allowed, 25/s denied")
        await tab.click("#lines summary")
        await tab.until("document.querySelectorAll('#lines tbody tr').length === 10")
        rows = await tab.text("#lines tbody")
        assert rows.split()[1:3] == ["7,200", "1,500"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_reference_is_shown_without_fetching_anything(
    chromium: Browser, path: str
) -> None:
    async with cluster("n1") as (one,), chromium.tab(390) as tab:
        await tab.open(f"http://127.0.0.1:{one.http.port}{path}")
        assert "GET /v1/live" in await tab.text("body")
        assert (tab.complaints, tab.failures) == ([], [])
        assert len(tab.requests) == 1


def _may_not(_head: Head) -> bool:
    return False

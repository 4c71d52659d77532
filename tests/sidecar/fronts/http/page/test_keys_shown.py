"""One key on the page, in a real browser: its buckets, its reset, and the secret for it."""

import pytest

from tests.support.browser.chromium import Browser
from tests.support.browser.events import Told, denied, event
from tests.support.browser.pages import SHOWN, page_of
from tests.support.browser.tab import Tab
from tests.support.in_process.cluster import cluster
from tests.support.in_process.http_client import charged

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "a good secret for tests"
KEY = "login:a/b?c#<b>.."
FOCUSED = "document.activeElement"
OPEN = "document.querySelector('dialog').open"


async def look(tab: Tab, key: str) -> None:
    """Write a key into its field, and look at its buckets, by keyboard."""
    await tab.until(SHOWN)
    await tab.get("document.querySelector('#which').focus()")
    await tab.write(key)
    await tab.press("Enter")


async def test_the_buckets_of_a_key_are_shown_and_reset(chromium: Browser) -> None:
    """It is asked before it is done; without a secret on this machine that is all."""
    async with cluster("n1") as (one,), page_of(chromium, one) as tab:
        charged(one, KEY, "10/hour", 3)
        await look(tab, KEY)
        await tab.until_text("#found", f"{KEY} belongs to n1.")
        assert "7 of 10" in await tab.text("#buckets tbody")
        charged(one, KEY, "10/hour", 2)
        await tab.until_text("#buckets tbody", "5 of 10")
        await tab.click("#reset")
        await tab.until_text("#ask", f"All limits of {KEY} will be full at once")
        assert await tab.text("#ask-secret") == ""
        await tab.press("Escape")
        await tab.until(f"!{OPEN}")
        assert "5 of 10" in await tab.text("#buckets tbody")
        await tab.click("#reset")
        await tab.until(OPEN)
        await tab.click("#ask-yes")
        await tab.until_text("#found", f"{KEY} was reset.")
        await tab.until_text("#found", f"{KEY} has all of its tokens.")
        assert await tab.text("#buckets") == ""


async def test_a_reset_asks_for_the_secret_where_one_is_set(chromium: Browser) -> None:
    """A wrong one is told and asked for again; the right one is not asked for a second time."""
    async with cluster("n1", secret=SECRET.encode()) as (one,), page_of(chromium, one) as tab:
        charged(one, KEY, "10/hour", 3)
        await look(tab, KEY)
        await tab.until_text("#buckets tbody", "7 of 10")
        await tab.click("#reset")
        await tab.until(OPEN)
        await tab.click("#ask-yes")
        await tab.until_text("#ask-wrong", "This needs the secret of the cluster.")
        assert await tab.get(f"{FOCUSED}.id") == "secret"
        await tab.write("a wrong secret")
        await tab.press("Enter")
        await tab.until_text("#ask-wrong", "This is not the secret of the cluster.")
        assert "7 of 10" in await tab.text("#buckets tbody")
        await tab.get(f"{FOCUSED}.select()")
        await tab.write(SECRET)
        await tab.press("Enter")
        await tab.until_text("#found", "was reset")
        await tab.until_text("#found", f"{KEY} has all of its tokens.")
        charged(one, KEY, "10/hour", 1)
        await tab.until_text("#buckets tbody", "9 of 10")
        await tab.click("#reset")
        await tab.until(OPEN)
        await tab.click("#ask-yes")
        await tab.until_text("#found", "was reset")
        kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        assert await tab.get(kept) == '[{},{},""]'


async def test_from_elsewhere_the_page_asks_for_the_secret_first(chromium: Browser) -> None:
    """It goes with every request from then on, and in no URL."""
    async with cluster("n1", secret=SECRET.encode()) as (one,), page_of(chromium, one) as tab:
        await tab.send("Network.setExtraHTTPHeaders", headers={"X-Forwarded-For": "192.0.2.1"})
        await tab.open(f"http://127.0.0.1:{one.http.port}/")
        await tab.until(OPEN)
        await tab.press("Escape")
        await tab.until_text("#state", "Secret needed")
        await tab.click("#again")
        await tab.until(OPEN)
        await tab.write("a wrong secret")
        await tab.press("Enter")
        await tab.until_text("#ask-wrong", "This is not the secret of the cluster.")
        await tab.get(f"{FOCUSED}.select()")
        await tab.write(SECRET)
        await tab.press("Enter")
        await tab.until_text("#state", "Live")
        charged(one, KEY, "10/hour", 3)
        await look(tab, KEY)
        await tab.until_text("#buckets tbody", "7 of 10")
        assert not [it for it in tab.requests if "secret" in it]


async def test_where_no_secret_is_set_others_are_told_why_they_see_nothing(
    chromium: Browser,
) -> None:
    async with cluster("n1") as (one,), page_of(chromium, one) as tab:
        one.http_server._access._open = False  # as if other machines could reach it
        await tab.send("Network.setExtraHTTPHeaders", headers={"X-Forwarded-For": "192.0.2.1"})
        await tab.open(f"http://127.0.0.1:{one.http.port}/")
        await tab.until_text("#trouble", "no secret is set: set one")
        assert not await tab.get(OPEN)


async def test_a_denied_key_is_looked_at_by_keyboard(chromium: Browser) -> None:
    """The focus stays on it while events come and the order changes."""
    keys = [denied("api:one", "n1", 20), denied("api:two", "n1", 10)]
    told = Told(event("n1", denied=keys))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        charged(one, "api:two", "10/hour", 3)
        await tab.until_text("#denied", "api:two")
        await tab.get("document.querySelector('#limited').focus()")
        for _ in range(2):
            await tab.press("Tab")
        assert await tab.get(f"{FOCUSED}.textContent") == "api:two"
        told.now = event("n1", denied=[denied("api:two", "n1", 30), keys[0]])
        await tab.until_text("#denied tbody tr:first-child", "api:two")
        assert await tab.get(f"{FOCUSED}.textContent") == "api:two"
        await tab.press("Enter")
        await tab.until_text("#buckets tbody", "7 of 10")


@pytest.mark.parametrize("shown", ["masked", "hashed"])
async def test_a_key_that_is_not_shown_as_it_is_leads_nowhere(
    chromium: Browser, shown: str
) -> None:
    """No bucket has that name."""
    told = Told(event("n1", keys=shown, denied=[denied("api:ab…", "n1", 20)]))
    async with cluster("n1") as (one,), page_of(chromium, one, told) as tab:
        await tab.until_text("#denied", "api:ab…")
        assert await tab.get("document.querySelector('#denied button')") is None


async def test_a_key_that_can_not_be_is_told(chromium: Browser) -> None:
    """And what can't be asked now is tried again."""
    async with cluster("n1") as (one,), page_of(chromium, one) as tab:
        await look(tab, "é" * 300)
        await tab.until_text("#found", "expected at most 512 bytes of UTF-8")
        await tab.get("document.querySelector('#which').select()")
        await tab.write("unknown")
        await tab.press("Enter")
        await tab.until_text("#found", "unknown has all of its tokens. It belongs to n1.")
        assert await tab.text("#reset") == ""

"""A tab of a browser, driven over the DevTools protocol; it writes down what goes wrong in it."""

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Final, Self

from websockets.asyncio.client import connect

from tests.support.in_process.cluster import GENEROUS

LOOK_EVERY: Final = 0.05  # seconds
KEYS: Final = {"Enter": "\r", "Escape": "", "Tab": ""}


class Tab:
    """One page. `requests` has the URLs of all that was asked for, `complaints` what was wrong.

    What the network refused is in `failures` instead: a node that was killed answers nothing.
    """

    def __init__(self, url: str) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.failures: list[str] = []
        self._url = url
        self._number = 0
        self._loaded = asyncio.Event()
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        self._socket = await connect(self._url, max_size=None, proxy=None)
        self._reading = asyncio.create_task(self._read())
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        async for text in self._socket:
            told: dict[str, Any] = json.loads(text)
            if "id" in told:
                self._asked.pop(told["id"]).set_result(told)
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.complaints.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                entry = params["entry"]
                (self.failures if entry["source"] == "network" else self.complaints).append(
                    f"{entry['text']} {entry.get('url', '')}"
                )
            case _:
                pass

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command, and return what it answers."""
        self._number += 1
        answer = asyncio.get_running_loop().create_future()
        self._asked[self._number] = answer
        await self._socket.send(
            json.dumps({"id": self._number, "method": method, "params": params})
        )
        async with asyncio.timeout(GENEROUS):
            told: dict[str, Any] = await answer
        assert "error" not in told, (method, told)
        return dict(told["result"])

    # --- what a person does

    async def open(self, url: str) -> None:
        """Go to a page; it is there when this returns."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(GENEROUS):
            await self._loaded.wait()

    async def press(self, key: str) -> None:
        """Press a key on the keyboard, and let it go."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        named = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        await self.send("Input.dispatchKeyEvent", type="keyDown", text=KEYS[key], **named)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    async def write(self, text: str) -> None:
        """Write into what has the focus."""
        await self.send("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        at = await self.get(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            " it.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const box = it.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        where = {"x": at[0], "y": at[1], "button": "left", "clickCount": 1}
        await self.send("Input.dispatchMouseEvent", type="mousePressed", **where)
        await self.send("Input.dispatchMouseEvent", type="mouseReleased", **where)

    # --- what a person sees

    async def get(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    async def text(self, selector: str) -> str:
        """Return what is seen of an element, "" if it isn't there."""
        return str(await self.get(_seen(selector)))

    async def until(self, expression: str, within: float = GENEROUS) -> Any:
        """Wait until an expression is true in the page, and return its value."""
        deadline = asyncio.get_running_loop().time() + within
        while not (value := await self.get(expression)):
            now = asyncio.get_running_loop().time()
            assert now < deadline, (expression, await self.text("body"), self.complaints)
            await asyncio.sleep(LOOK_EVERY)
        return value

    async def until_text(self, selector: str, text: str, within: float = GENEROUS) -> None:
        """Wait until a text is seen in an element."""
        await self.until(f"{_seen(selector)}.includes({json.dumps(text)})", within)

    # --- how it is seen

    async def resize(self, width: int, height: int = 900) -> None:
        """Show the page in a window of that size; a narrow one is a phone's."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def darken(self, *, dark: bool) -> None:
        """Have whoever looks prefer dark colours, or light ones."""
        value = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        await self.send("Emulation.setEmulatedMedia", features=features)

    async def picture(self, file: Path, height: int = 0) -> None:
        """Save the page, or its upper part, in the format of the file's name (png, webp)."""
        size = (await self.send("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"]}
        taken = await self.send(
            "Page.captureScreenshot",
            format=file.suffix[1:],
            quality=80,
            captureBeyondViewport=True,
            clip={**clip, "scale": 1},
        )
        await asyncio.to_thread(file.write_bytes, b64decode(taken["data"]))


def _seen(selector: str) -> str:
    it = f"document.querySelector({json.dumps(selector)})"
    return f"({it}?.checkVisibility() ? {it}.innerText : '')"

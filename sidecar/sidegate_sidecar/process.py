"""The process: a sidecar with its fronts, its signals and its log, from start to exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from typing import TYPE_CHECKING

from sidegate.buckets.limits import SECOND
from sidegate.client.environment import unknown
from sidegate_sidecar.cgroup import memory_limit, warning
from sidegate_sidecar.config import OptionError
from sidegate_sidecar.fronts.http.app.lazy import require_app
from sidegate_sidecar.fronts.http.server import HttpServer
from sidegate_sidecar.links.sockets import HTTP_BACKLOG, ListenError, listen
from sidegate_sidecar.open_files import raise_file_limit
from sidegate_sidecar.sidecar import Sidecar, bound, tell_fault
from sidegate_sidecar.telemetry.logs import log_to_stderr

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from sidegate.link.address import Address
    from sidegate_sidecar.cluster.place.handover import Departure
    from sidegate_sidecar.config import Config
    from sidegate_sidecar.fronts.envoy.rls_server import RlsServer
    from sidegate_sidecar.fronts.forward_auth.server import AuthServer
    from sidegate_sidecar.fronts.resp.server import RespServer
    from sidegate_sidecar.telemetry.tracing import Tracing

log = logging.getLogger("sidegate")

NO_HIREDIS = "expected hiredis to be installed, which is what the extra sidegate[sidecar-resp] has"
NO_GRPC = "expected grpcio to be installed, which is what the extra sidegate[grpc] has"
NOT_INSTALLED = (
    "expected OpenTelemetry's SDK and its exporter for OTLP over HTTP to be installed, which is"
    " what the extra sidegate[sidecar-otel] has"
)


class Process(Sidecar):
    """A sidecar and its fronts; `async with Process(config):` runs them in the present loop.

    Port 0 takes a free one; `link`, `http`, `resp` and `auth` say which. `tracing` makes spans, and
    is closed with it.
    """

    def __init__(self, config: Config, tracing: Tracing | None = None) -> None:
        resp_server = None if config.resp is None else _resp_server(config.resp)
        listening: dict[str, socket.socket] = {}
        try:
            listening["http"] = listen("http", config.http, HTTP_BACKLOG)
            for option, address in (("resp", config.resp), ("auth", config.auth)):
                if address is not None:
                    listening[option] = listen(option, address)
            super().__init__(config)
        except ListenError:
            for it in listening.values():
                it.close()
            raise
        self.http = bound(listening["http"], config.http)
        self.http_server = HttpServer(self, self.http, listening["http"])
        self.resp: Address | None = None
        self.resp_server: RespServer | None = None
        if resp_server is not None and config.resp is not None:
            self.resp = bound(listening["resp"], config.resp)
            self.resp_server = resp_server(self, listening["resp"])
            self.http_server.registry.register(self.resp_server.collector)
        self.auth: Address | None = None
        self.auth_server: AuthServer | None = None
        if config.auth is not None:
            self.auth = bound(listening["auth"], config.auth)
            self.auth_server = self._make_auth(listening["auth"])
        try:
            self.rls = self._make_rls()
        except (ListenError, OptionError):
            for it in (*listening.values(), self._link_socket):
                it.close()
            raise
        self._tracing = tracing
        if tracing is not None:
            self.sessions.trace(tracing.watch(self.node.decide))

    def _make_rls(self) -> RlsServer | None:
        """Return the front for Envoy, which is imported only where it is wanted."""
        if self.config.grpc is None:
            return None
        # Its C library writes to stderr by itself; what matters is in our log.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        try:
            from sidegate_sidecar.fronts.envoy.rls_server import RlsServer  # noqa: PLC0415 - extra
        except ImportError:
            raise OptionError("grpc", self.config.grpc, NO_GRPC) from None
        rls = RlsServer(self, self.config.grpc)
        self.http_server.registry.register(rls.collector)
        return rls

    def _make_auth(self, listening: socket.socket) -> AuthServer:
        """Return the front for proxies, which is imported only where it is wanted."""
        from sidegate_sidecar.fronts.forward_auth.server import AuthServer  # noqa: PLC0415 - as said

        assert self.rules is not None  # or the options were refused
        auth = AuthServer(self, self.rules, listening)
        self.http_server.registry.register(auth.collector)
        return auth

    async def start(self) -> None:
        """Listen to apps and nodes, then to HTTP, gRPC, clients of Redis and proxies."""
        await super().start()
        await self.http_server.start()
        fronts = f"http {self.http}"
        if self.rls is not None:
            await self.rls.start()
            fronts += f", grpc {self.rls.address}"
        if self.resp_server is not None:
            await self.resp_server.start()
            fronts += f", resp {self.resp}"
        if self.auth_server is not None:
            await self.auth_server.start()
            fronts += f", auth {self.auth}"
        log.info("node %s: link %s, %s", self.config.name, self.link, fronts)

    async def leave(self) -> Departure:
        """Leave the ring, as `Sidecar.leave`; who looks for a service is sent elsewhere first."""
        if self.rls is not None:
            self.rls.leave()
        return await super().leave()

    async def depart(self) -> int:
        """Let calls of Envoy's, clients of Redis and proxies end, then do as `Sidecar.depart`."""
        if self.rls is not None:
            await self.rls.stop()
        for front in (self.resp_server, self.auth_server):
            if front is not None:
                await front.depart()
        return await super().depart()

    async def stop(self) -> None:
        """Take no more connections, answer what is there, and close."""
        for front in (self.resp_server, self.auth_server):
            if front is not None:
                await front.stop()
        if self.rls is not None:
            await self.rls.stop()
        await super().stop()
        await self.http_server.stop()
        if self._tracing is not None:
            await self._tracing.close()


async def serve(config: Config, tracing: Tracing | None) -> int:
    """Run a sidecar until SIGTERM or SIGINT, leave; a second one ends it at once.

    Return the exit code: 0 unless something was lost at the end.
    """
    fronts = [it for it in (config.resp, config.auth) if it is not None]
    raise_file_limit(config.max_connections * (1 + len(fronts)))
    signals: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    async with Process(config, tracing) as sidecar:
        gc.collect()
        gc.freeze()  # what is here now stays; a full collection needn't look at it again
        gc.set_threshold(100_000, 50, 50)
        await signals.get()
        log.info("node %s: stopping", config.name)
        code: int | None = None

        async def leave() -> None:
            nonlocal code
            code = await _leave(sidecar)

        await _unless(signals.get(), leave())
        return sidecar.leaving.end(at_once=True) if code is None else code


async def _leave(sidecar: Sidecar) -> int:
    departure = await sidecar.leave()
    await sidecar.see_apps_off(sidecar.config.drain - departure.seconds)
    if departure.left:  # who starts just now may know no other address
        new_for = sidecar.cluster.newcomers.new_for(sidecar.config.name, sidecar.clock()) / SECOND
        await asyncio.sleep(min(new_for, sidecar.config.drain))
    return await sidecar.depart()


async def _unless(
    stop: Coroutine[object, object, None], work: Coroutine[object, object, None]
) -> None:
    """Do some work unless told to stop."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(stop), loop.create_task(work)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.add_done_callback(tell_fault)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_until_signal(config: Config, log_level: str) -> int:
    """Run a sidecar until SIGTERM or SIGINT, on uvloop where there is one; log to stderr.

    Return the exit code. OptionError if it is to trace, and can't.
    """
    tracing = _tracing(config.name) if config.otel else None
    require_app()
    log_to_stderr(log_level)
    for line in unknown(os.environ):
        log.warning("%s", line)
    takes = config.max_memory, config.cache_bytes, config.report_bytes
    if line := warning(*takes, memory_limit()):
        log.warning("%s", line)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(config, tracing))


def _tracing(name: str) -> Tracing:
    """Return what makes spans. OptionError if it isn't installed, or told what it can't do."""
    try:
        from sidegate_sidecar.telemetry.exporting import exporting_provider  # noqa: PLC0415 - extra
        from sidegate_sidecar.telemetry.tracing import Tracing  # noqa: PLC0415 - as above
    except ImportError:
        raise OptionError("otel", "on", NOT_INSTALLED) from None
    return Tracing(name, exporting_provider(name, os.environ))


def _resp_server(address: Address) -> type[RespServer]:
    """Return what serves clients of Redis. OptionError if what it reads with isn't installed."""
    try:
        from sidegate_sidecar.fronts.resp.server import RespServer  # noqa: PLC0415 - extra
    except ImportError:
        raise OptionError("resp", address, NO_HIREDIS) from None
    return RespServer


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop

"""Proxies that ask a sidecar, as Debian and PyPI have them, by the configurations on a page."""

import re
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.envoy.proxy import require_envoy
from tests.support.optional import missing
from tests.support.processes.services import Service

PAGE: Final = Path(__file__).parents[3] / "docs/running/forward-auth.md"
SBIN: Final = "/usr/sbin:/usr/local/sbin:/usr/bin"  # where not all users look
_PROGRAM: Final = "tests.support.proxies.program"


def configuration_on_page(name: str) -> str:
    """Return the block on the page that is this file."""
    pattern = rf"^```[a-z]*\n(?:#|--) {re.escape(name)}\n(.*?)^```"
    found = re.search(pattern, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def _at_ports(text: str, ports: Mapping[int, object]) -> str:
    for on_page, port in ports.items():
        text = re.sub(rf"(127\.0\.0\.1:|port_value: |http://:){on_page}\b", rf"\g<1>{port}", text)
    return text


class AskingProxy(Service):
    """A proxy before an app, which asks a sidecar at a port. `changes` are made to the page's."""

    ready_at = "/ready"
    on_page: str
    besides: tuple[str, ...] = ()  # files on the page that the first one names
    usual_changes: tuple[tuple[str, str], ...] = ()

    def __init__(self, folder: Path, app: int, auth: object, *changes: tuple[str, str]) -> None:
        super().__init__(type(self).__name__.lower())
        self.require()
        self.folder = folder / f"{self.title}-{self.http.number}"
        self.folder.mkdir()
        self.file = self.folder / self.on_page
        files = {name: configuration_on_page(name) for name in (self.on_page, *self.besides)}
        for old, new in (*self.usual_changes, *changes):
            assert any(old in text for text in files.values()), old
            by_us = new.replace("FOLDER", str(self.folder))
            files = {name: text.replace(old, by_us) for name, text in files.items()}
        ports = {7175: str(auth).rpartition(":")[2], 8080: self.http.number, 8000: app}
        for name, text in files.items():
            (self.folder / name).write_text(_at_ports(text, ports))

    @staticmethod
    @abstractmethod
    def require() -> None:
        """Skip the test where there is none."""

    def _last_words(self) -> str:
        return f"{super()._last_words()}\nits configuration: {self.file.read_text()}"


class Nginx(AskingProxy):
    """nginx, which asks by auth_request."""

    on_page = "nginx.conf"
    # As anyone, in a folder of its own. It waits as long as a machine that has much to do takes.
    usual_changes = (
        (
            "http {",
            "http {\n    access_log off;\n    "
            + " ".join(
                f"{it}_temp_path FOLDER/{it};"
                for it in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            ),
        ),
        ("events {}", "daemon off;\nmaster_process off;\npid FOLDER/pid;\nevents {}"),
        ("_timeout 1s", "_timeout 20s"),
    )

    @staticmethod
    def require() -> None:
        if shutil.which("nginx", path=SBIN) is None:
            missing("nginx (Debian's package nginx-light has it)")

    @property
    def command(self) -> list[str]:
        program = shutil.which("nginx", path=SBIN) or "nginx"
        return [_PROGRAM, program, "-p", str(self.folder), "-e", "stderr", "-c", str(self.file)]


class Haproxy(AskingProxy):
    """HAProxy, which asks by a script in Lua."""

    on_page = "haproxy.cfg"
    besides = ("sidegate.lua",)
    # One thread, so that one connection to the sidecar does, and a socket of its own.
    usual_changes = (
        ("maxconn 4096", "maxconn 4096\n    nbthread 1"),
        ("abns@sidegate", "abns@FOLDER"),
        ("timeout connect 1s", "timeout connect 20s"),
        ("timeout server 1s", "timeout server 20s"),
        ("PATIENCE = 5000", "PATIENCE = 60000"),
    )

    @staticmethod
    def require() -> None:
        if shutil.which("haproxy", path=SBIN) is None:
            missing("haproxy (Debian's package of that name has it)")

    @property
    def command(self) -> list[str]:
        program = shutil.which("haproxy", path=SBIN) or "haproxy"
        return [_PROGRAM, program, "-db", "-f", str(self.file)]


class Caddy(AskingProxy):
    """Caddy, which asks by what forward_auth stands for."""

    on_page = "Caddyfile"
    usual_changes = (("admin off", "admin off\n\tstorage file_system FOLDER"),)

    @staticmethod
    def require() -> None:
        if shutil.which("caddy") is None:
            missing("caddy (Debian's package of that name has it)")

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "HOME": str(self.folder)}

    @property
    def command(self) -> list[str]:
        arguments = ("run", "--config", str(self.file), "--adapter", "caddyfile")
        return [_PROGRAM, "caddy", *arguments]


class ExtAuthzEnvoy(AskingProxy):
    """Envoy, which asks by ext_authz over HTTP."""

    on_page = "envoy.yaml"
    usual_changes = (("timeout: 0.05s", "timeout: 20s"),)

    @staticmethod
    def require() -> None:
        require_envoy()

    @property
    def command(self) -> list[str]:
        quiet = ("--log-level", "warn", "--concurrency", "1", "--disable-hot-restart")
        return ["envoy._main", "-c", str(self.file), *quiet]

"""The command `sidegate`: run a sidecar, or ask one."""

# Commands import what they need when they run: a server takes a second, an HTTP client a third.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.config import DEFAULT_BUDGET
from sidegate.version import __version__
from sidegate_sidecar.cli.options import credentials, readers
from sidegate_sidecar.cli.options import options as given
from sidegate_sidecar.cli.options.names import complaint, variable
from sidegate_sidecar.cli.plain_arguments import plain_arguments
from sidegate_sidecar.config import (
    DEFAULT_DRAIN,
    DEFAULT_HTTP,
    DEFAULT_LINK,
    DEFAULT_MEMORY,
    DEFAULT_SOCKET_MODE,
    MAX_CONNECTIONS,
    Config,
    OptionError,
    Role,
)
from sidegate_sidecar.errors import BAD_INPUT, DENIED, NOT_DONE, NOT_SERVING, Failure
from sidegate_sidecar.links.sockets import ListenError
from sidegate_sidecar.telemetry.logs import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EPILOG = (
    "Exit codes: 0 done, or allowed; 1 denied (check), not left (leave), not ready (health),"
    " a promise broken (load, demo), or can't listen (serve); 2 wrong usage or input; 3 the sidecar"
    " (load: the service) can't be reached, or refuses; 4 nobody took its buckets, 5 its state file"
    " could not be saved (serve)."
)

app = typer.Typer(
    name="sidegate",
    epilog=_EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command, by default with the arguments of the process; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments[:1] == [serve.__name__] and (plain := _plain(arguments[1:])) is not None:
            return serve(**plain) or 0
        return whole_app()(arguments, prog_name="sidegate", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _complain(error.format_message(), BAD_INPUT)
    except OptionError as error:
        return _complain(complaint(error.option, error.value, error.why), BAD_INPUT)
    except ListenError as error:
        return _complain(complaint(error.option, error.value, error.why), NOT_SERVING)
    except Failure as error:
        return _complain(error.text, error.exit_code)


def _plain(arguments: Sequence[str]) -> dict[str, Any] | None:
    return plain_arguments(serve, arguments, os.environ, variable)


def whole_app() -> typer.Typer:
    """Return all of the command; `serve` by itself needn't wait for the options of `load`."""
    if all(it.name != "load" for it in app.registered_commands):
        from sidegate_sidecar.cli.load import load

        app.command("load", epilog=_EPILOG)(load)
    return app


def _complain(text: str, exit_code: int) -> int:
    sys.stderr.write(f"sidegate: {text}\n")
    return exit_code


@app.callback(invoke_without_command=True)
def sidegate(context: typer.Context, *, version: given.Version = False) -> None:
    """Limit rates for Python services: one sidecar beside each app, all of them one limiter."""
    if version:
        typer.echo(f"sidegate {__version__}")
    elif context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):
            typer.echo(context.get_help(), nl=False)
        raise typer.Exit(BAD_INPUT)


@app.command(epilog=_EPILOG)
def serve(  # noqa: PLR0913  # a parameter for each option, as typer wants it
    *,
    name: given.Name = "",
    link: given.Link = DEFAULT_LINK,
    socket: given.SocketPath = "",
    socket_mode: given.SocketMode = f"{DEFAULT_SOCKET_MODE:o}",
    http: given.Http = DEFAULT_HTTP,
    http_host: given.HttpHosts = [],  # noqa: B006  # typer shows and copies it
    seed: given.Seeds = [],  # noqa: B006  # typer shows and copies it
    cluster: given.Cluster = "sidegate",
    secret_file: given.SecretFile = "",
    node_secret_file: given.NodeSecretFile = "",
    http_token_file: given.HttpTokenFile = "",
    ring_seed_file: given.RingSeedFile = "",
    tls_cert: given.TlsCert = "",
    tls_key: given.TlsKey = "",
    tls_ca: given.TlsCa = "",
    insecure: given.Insecure = False,
    on_unreachable: given.Policy = OnUnreachable.OPEN.value,
    budget: given.Budget = f"{DEFAULT_BUDGET:g}",
    max_memory: given.MaxMemory = DEFAULT_MEMORY,
    max_connections: given.MaxConnections = str(MAX_CONNECTIONS),
    role: given.NodeRole = Role.OWNER.value,
    drain: given.Drain = f"{DEFAULT_DRAIN:g}",
    state_file: given.StateFile = "",
    log_level: given.LogLevel = "info",
) -> int:
    """Run a sidecar until SIGTERM or SIGINT."""
    level = readers.choice("log-level", log_level.lower(), LEVELS)
    config = Config(
        name=name or gethostname(),
        link=readers.address("link", link),
        http=readers.address("http", http),
        http_hosts=readers.names(http_host),
        socket=socket.removeprefix("unix:"),
        socket_mode=readers.mode("socket-mode", socket_mode),
        seeds=readers.seeds(seed),
        cluster=cluster,
        secret=credentials.secret("secret", secret_file),
        secret_file=credentials.secret_file("secret", secret_file),
        node_secret=credentials.secret("node-secret", node_secret_file),
        node_secret_file=credentials.secret_file("node-secret", node_secret_file),
        http_token=credentials.secret("http-token", http_token_file),
        http_token_file=credentials.secret_file("http-token", http_token_file),
        ring_seed=credentials.ring_seed(ring_seed_file),
        tls=credentials.tls(tls_cert, tls_key, tls_ca),
        insecure=readers.flag("insecure", given=insecure),
        on_unreachable=readers.choice("on-unreachable", on_unreachable, OnUnreachable),
        budget=readers.seconds("budget", budget),
        max_memory=readers.size("max-memory", max_memory),
        max_connections=readers.whole("max-connections", max_connections),
        role=readers.choice("role", role, Role),
        drain=readers.seconds("drain", drain),
        state_file=readers.state_file(state_file),
    )
    from sidegate_sidecar.process import run_until_signal

    return run_until_signal(config, level)


Key = Annotated[str, typer.Argument(metavar="KEY", help="Who is limited.", show_default=False)]
Limits = Annotated[
    str,
    typer.Argument(
        metavar="LIMITS", help='Such as "100/minute; 1000/hour burst 50".', show_default=False
    ),
]


@app.command(epilog=_EPILOG)
def check(
    key: Key,
    limits: Limits,
    *,
    cost: given.Cost = "1",
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> int:
    """Charge tokens to a key, if its limits have them; exit with 1 if not."""
    body = {"key": _sendable(key), "limits": _sendable(limits), "cost": readers.whole("cost", cost)}
    answer = _ask(http, (http_token_file, secret_file), "POST", "/v1/check", body)
    _show(answer, "check", as_json=as_json)
    return 0 if answer["allowed"] else DENIED


@app.command(epilog=_EPILOG)
def nodes(
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Show the cluster as a sidecar sees it."""
    _show(_ask(http, (http_token_file, secret_file), "GET", "/v1/nodes"), "nodes", as_json=as_json)


@app.command(epilog=_EPILOG)
def owner(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Name the node that owns a key, and its backups."""
    query = urlencode({"key": _sendable(key)})
    _show(
        _ask(http, (http_token_file, secret_file), "GET", f"/v1/owner?{query}"),
        "owner",
        as_json=as_json,
    )


@app.command(epilog=_EPILOG)
def peek(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Show what is left of the limits of a key, without charging it."""
    _show(_ask(http, (http_token_file, secret_file), "GET", _path(key)), "buckets", as_json=as_json)


@app.command(epilog=_EPILOG)
def reset(
    key: Key,
    *,
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> None:
    """Make all limits of a key full again."""
    _show(
        _ask(http, (http_token_file, secret_file), "DELETE", _path(key)), "buckets", as_json=as_json
    )


@app.command(epilog=_EPILOG)
def leave(
    *,
    drain: given.Patience = f"{DEFAULT_DRAIN:g}",
    http: given.Sidecar = DEFAULT_HTTP,
    secret_file: given.CallerSecret = "",
    http_token_file: given.CallerToken = "",
    as_json: given.AsJson = False,
) -> int:
    """Take a sidecar off the ring: it hands its buckets over and goes on forwarding checks."""
    patience = readers.seconds("drain", drain)
    answer = _ask(http, (http_token_file, secret_file), "POST", "/v1/leave", patience=patience)
    _show(answer, "leave", as_json=as_json)
    return 0 if answer["left"] else NOT_DONE


@app.command(epilog=_EPILOG)
def health(*, http: given.Sidecar = DEFAULT_HTTP) -> None:
    """Tell whether a sidecar is ready, by the exit code: for health checks of containers."""
    address = readers.address("http", http)
    from sidegate_sidecar.cli.health import require_ready

    require_ready(address)
    typer.echo("ready")


@app.command(epilog=_EPILOG)
def demo(*, seconds: given.Seconds = "") -> int:
    """Show three sidecars and three apps on this machine; one sidecar is killed on the way."""
    length = readers.seconds("seconds", seconds) if seconds else None
    from sidegate_sidecar.demo.run import run_demo

    return run_demo(length)


def _ask(
    http: str,
    files: tuple[str, str],
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    patience: float = 0.0,
) -> dict[str, Any]:
    """Ask a sidecar; of the `files` one has the HTTP token, the other the secret."""
    address, secret = readers.address("http", http), credentials.shown_secret(*files)
    from sidegate_sidecar.cli.api_client import Remote

    return Remote(address, secret, patience).ask(method, path, body)


def _show(answer: Mapping[str, Any], kind: str, *, as_json: bool) -> None:
    from sidegate_sidecar.cli import printing as console

    (console.print_json if as_json else console.PRINTERS[kind])(answer)


def _path(key: str) -> str:
    quoted = quote(_sendable(key), safe="").replace(".", "%2E")  # "." and ".." would be folders
    return f"/v1/keys/{quoted}"


def _sendable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Failure(BAD_INPUT, f"{text!a}: expected text in UTF-8") from None
    return text

"""The command `sidegate`: run a sidecar, or ask one."""

# Commands import what they need when they run: a server takes a second, an HTTP client a third.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sidegate.buckets.decision import OnUnreachable
from sidegate.client.config import DEFAULT_BUDGET
from sidegate.protocol.standing_messages import OnSplit
from sidegate.version import __version__
from sidegate_sidecar.cli.options import credentials, readers, serve_options
from sidegate_sidecar.cli.options.names import complaint, variable
from sidegate_sidecar.cli.plain_arguments import plain_arguments
from sidegate_sidecar.config import (
    DEFAULT_CACHE_BYTES,
    DEFAULT_DRAIN,
    DEFAULT_HTTP,
    DEFAULT_LINK,
    DEFAULT_MEMORY,
    DEFAULT_PROXIES,
    DEFAULT_REPORT_MEMORY,
    DEFAULT_SOCKET_MODE,
    MAX_CONNECTIONS,
    Config,
    OptionError,
    Role,
)
from sidegate_sidecar.errors import BAD_INPUT, NOT_SERVING, Failure
from sidegate_sidecar.links.sockets import ListenError
from sidegate_sidecar.reports.activity import RULES
from sidegate_sidecar.reports.shown_keys import ShownKeys
from sidegate_sidecar.telemetry.logs import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = (
    "Exit codes: 0 done, or allowed; 1 denied (check), not left (leave), not on all nodes (reset),"
    " not ready (health), a promise broken (load, demo), wrong rules (rules), too many newly"
    " denied (rules plan), or can't listen (serve); 2 wrong usage or input; 3 the sidecar (load:"
    " the service) can't be reached, or refuses; 4 nobody took its buckets, 5 its state file could"
    " not be saved (serve)."
)

# What follows the app's command is the app's, options too, with or without "--" before it.
_PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}

Version = Annotated[bool, typer.Option("--version", help="Print the version.", show_default=False)]
Seconds = Annotated[
    str,
    typer.Option("--seconds", metavar="SECONDS", help="End by itself after so long: 6 to 3600."),
]

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
    """Return all of the command; `serve` by itself needn't wait for the others."""
    if len(app.registered_commands) == 1:
        from sidegate_sidecar.cli import ask, ask_keys
        from sidegate_sidecar.cli.load import load
        from sidegate_sidecar.cli.rules.rules import rules_commands
        from sidegate_sidecar.cli.top import top

        of_keys = (ask_keys.keys, ask_keys.peek, ask_keys.reset)
        asking = (ask.check, ask.nodes, ask.owner, *of_keys, ask.leave, ask.forget, ask.health)
        for command in (*asking, top, demo, load):
            app.command(epilog=_EPILOG)(command)
        app.command(epilog=_EPILOG, context_settings=_PASSED_ON)(dev)
        app.add_typer(rules_commands(_EPILOG), epilog=_EPILOG)
    return app


def _complain(text: str, exit_code: int) -> int:
    sys.stderr.write(f"sidegate: {text}\n")
    return exit_code


@app.callback(invoke_without_command=True)
def sidegate(context: typer.Context, *, version: Version = False) -> None:
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
    name: serve_options.Name = "",
    link: serve_options.Link = DEFAULT_LINK,
    socket: serve_options.SocketPath = "",
    socket_mode: serve_options.SocketMode = f"{DEFAULT_SOCKET_MODE:o}",
    http: serve_options.Http = DEFAULT_HTTP,
    http_host: serve_options.HttpHosts = [],  # noqa: B006  # typer shows and copies it
    resp: serve_options.Resp = "",
    auth: serve_options.Auth = "",
    auth_proxies: serve_options.AuthProxies = [],  # noqa: B006  # typer shows and copies it
    grpc: serve_options.Grpc = "",
    ratelimit_yaml: serve_options.RatelimitYaml = [],  # noqa: B006  # typer shows and copies it
    seed: serve_options.Seeds = [],  # noqa: B006  # typer shows and copies it
    cluster: serve_options.Cluster = "sidegate",
    secret_file: serve_options.SecretFile = "",
    node_secret_file: serve_options.NodeSecretFile = "",
    http_token_file: serve_options.HttpTokenFile = "",
    ring_seed_file: serve_options.RingSeedFile = "",
    tls_cert: serve_options.TlsCert = "",
    tls_key: serve_options.TlsKey = "",
    tls_ca: serve_options.TlsCa = "",
    insecure: serve_options.Insecure = False,
    on_unreachable: serve_options.Policy = OnUnreachable.OPEN.value,
    on_split: serve_options.Split = OnSplit.OPTIMISTIC.value,
    budget: serve_options.Budget = f"{DEFAULT_BUDGET:g}",
    max_memory: serve_options.MaxMemory = DEFAULT_MEMORY,
    cache_bytes: serve_options.CacheBytes = DEFAULT_CACHE_BYTES,
    max_connections: serve_options.MaxConnections = str(MAX_CONNECTIONS),
    role: serve_options.NodeRole = Role.OWNER.value,
    zone: serve_options.Zone = "",
    drain: serve_options.Drain = f"{DEFAULT_DRAIN:g}",
    state_file: serve_options.StateFile = "",
    rules: serve_options.Rules = "",
    report_rules: serve_options.ReportRules = str(RULES),
    report_memory: serve_options.ReportMemory = DEFAULT_REPORT_MEMORY,
    report_keys: serve_options.ReportKeys = ShownKeys.PLAIN.value,
    otel: serve_options.Otel = False,
    log_level: serve_options.LogLevel = "info",
) -> int:
    """Run a sidecar until SIGTERM or SIGINT."""
    level = readers.choice("log-level", log_level.lower(), LEVELS)
    config = Config(
        name=name or gethostname(),
        link=readers.address("link", link),
        http=readers.address("http", http),
        http_hosts=readers.names(http_host),
        resp=readers.address("resp", resp) if resp else None,
        auth=readers.address("auth", auth) if auth else None,
        auth_proxies=readers.names(auth_proxies) or DEFAULT_PROXIES,
        grpc=readers.address("grpc", grpc) if grpc else None,
        ratelimit_yaml=readers.names(ratelimit_yaml),
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
        on_split=readers.choice("on-split", on_split, OnSplit),
        budget=readers.seconds("budget", budget),
        max_memory=readers.size("max-memory", max_memory),
        cache_bytes=readers.size("cache-bytes", cache_bytes),
        max_connections=readers.whole("max-connections", max_connections),
        role=readers.choice("role", role, Role),
        zone=zone,
        drain=readers.seconds("drain", drain),
        state_file=readers.state_file(state_file),
        rules=readers.rules(rules),
        report_rules=readers.whole("report-rules", report_rules),
        report_memory=readers.size("report-memory", report_memory),
        report_keys=readers.choice("report-keys", report_keys, ShownKeys),
        otel=readers.flag("otel", given=otel),
    )
    from sidegate_sidecar.process import run_until_signal

    return run_until_signal(config, level)


def dev(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="How the app is run, with its options.")
    ],
) -> int:
    """Run an app with a sidecar of its own beside it, for development; both end together.

    For example: sidegate dev -- uvicorn app:app --reload. The exit code is the app's.
    """
    from sidegate_sidecar.cli.dev import run_beside

    return run_beside(command)


def demo(*, seconds: Seconds = "") -> int:
    """Show three sidecars and three apps on this machine; one sidecar is killed on the way."""
    length = readers.seconds("seconds", seconds) if seconds else None
    from sidegate_sidecar.demo.run import run_demo

    return run_demo(length)

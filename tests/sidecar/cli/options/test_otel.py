"""--otel: it says what is missing, and what of the environment it can't do."""

import sys

import pytest

from sidegate_sidecar.errors import BAD_INPUT
from tests.support.in_process.commands import Run

OPTION = "sidegate: --otel (or SIDEGATE_OTEL) 'on': "
ADDRESSES = ("--link=127.0.0.1:0", "--http=127.0.0.1:0")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "console", "otlp"),
    ],
)
def test_what_the_exporter_cannot_do_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    ending = run("serve", "--otel", *ADDRESSES)
    assert ending.code == BAD_INPUT
    assert ending.complaint == f"{OPTION}{variable}={value!r}: expected {expected}, or nothing\n"


def test_what_the_sdk_does_not_take_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    ending = run("serve", "--otel", *ADDRESSES)
    assert ending.code == BAD_INPUT
    assert ending.complaint.startswith(f"{OPTION}OTEL_ variables: max_queue_size")


def test_where_it_is_not_installed_it_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    for module in ("exporting", "tracing"):
        monkeypatch.delitem(sys.modules, f"sidegate_sidecar.telemetry.{module}", raising=False)
    monkeypatch.setenv("SIDEGATE_OTEL", "1")
    ending = run("serve", *ADDRESSES)
    assert ending.code == BAD_INPUT
    assert "sidegate[sidecar-otel]" in ending.complaint


def test_the_variable_is_a_switch(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEGATE_OTEL", "perhaps")
    ending = run("serve", *ADDRESSES)
    assert ending.code == BAD_INPUT
    assert "--otel (or SIDEGATE_OTEL) 'perhaps': expected 1, true, yes or on" in ending.complaint

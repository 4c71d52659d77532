"""Entry point of the command `sidegate`, and of `python -m sidegate_sidecar`."""

import sys

_OURS = {"sidegate", "sidegate_ring", "sidegate_sidecar"}


def main() -> None:
    """Run the command and exit; say so if only the part for apps is installed."""
    try:
        from sidegate_sidecar.cli.commands import run  # noqa: PLC0415  # typer may be missing

        sys.exit(run())
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise  # a fault of ours
        sys.stderr.write(
            f"sidegate's server is not installed (missing: {error.name}): pip install '.[sidecar]'"
            " in a checkout of sidegate, or pip install 'FILE.whl[sidecar]' from its wheel\n"
        )
        sys.exit(2)


if __name__ == "__main__":
    main()

"""A leash: runs a module as `python -m` would, and ends it when standard input ends.

    python -m sidegate_sidecar.lab.leash sidegate_sidecar serve --name a

Whoever starts it holds the other end of the pipe, and the kernel closes that however its holder
ends. So no child outlives a demo or a test that was killed with SIGKILL, on any POSIX system.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from runpy import run_module
from threading import Thread

_GRACE = 3.0  # seconds to end in order, before it is cut short


def _end_with_the_pipe() -> None:
    while os.read(0, 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


def main() -> None:
    """Run the module named by the first argument with the other arguments."""
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    Thread(target=_end_with_the_pipe, name="leash", daemon=True).start()
    run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

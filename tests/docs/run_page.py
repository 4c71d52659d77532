"""Runs the blocks of one page, in a process and a folder of their own: `run_page.py BLOCKS`.

BLOCKS is a JSON file: the page, and for each block its text, the line where it stands, and the
module that it is, or null. Modules lie in the folder already. They are imported where the page
shows them, but for tests, which pytest runs. All other blocks are one program, which is `__main__`.
It may await outside of functions, and nobody is dialled.
"""

import ast
import asyncio
import inspect
import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from sidegate.testing import isolated


def main() -> None:
    page, blocks = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    program = sys.modules["__main__"] = ModuleType("__main__")
    with isolated(), asyncio.Runner() as runner:
        for text, line, module in blocks:
            if module is None:
                run(text, page, line, program, runner)
            elif not module.rpartition(".")[2].startswith("test_"):
                import_module(module)


def run(text: str, page: str, line: int, program: ModuleType, runner: asyncio.Runner) -> None:
    """Run a block; a traceback has the lines of the page."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile("\n" * (line - 1) + text, page, "exec", flags, dont_inherit=True)
    awaited = eval(code, vars(program))  # as exec, but it returns what is to be awaited
    if inspect.iscoroutine(awaited):
        runner.run(awaited)


if __name__ == "__main__":
    main()

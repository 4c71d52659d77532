"""Becomes a program: for a `Child`, which runs Python modules, to run something else."""

import os
import sys

if __name__ == "__main__":
    os.execvp(sys.argv[1], sys.argv[1:])

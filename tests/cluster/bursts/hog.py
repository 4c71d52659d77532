"""A hog: keeps one core busy, for two minutes at most."""

import time

if __name__ == "__main__":
    END = time.monotonic() + 120
    while time.monotonic() < END:
        pass

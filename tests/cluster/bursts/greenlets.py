"""A burst from greenlets, with everything patched."""

from gevent import monkey  # type: ignore[import-untyped]  # it ships no types

monkey.patch_all()  # pyright: ignore[reportUnknownMemberType]  # as above

import sys  # noqa: E402  # the patches must come first

from tests.cluster.bursts.burst import main  # noqa: E402

if __name__ == "__main__":
    main(*sys.argv[1:])

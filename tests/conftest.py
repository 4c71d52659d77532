"""How hypothesis runs here: without its deadline of 200 ms, which a busy machine would break."""

from hypothesis import settings

settings.register_profile("sidegate", deadline=None)
settings.load_profile("sidegate")

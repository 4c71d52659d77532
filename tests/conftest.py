"""How hypothesis runs here: without its deadline of 200 ms, which a busy machine would break."""

from hypothesis import settings

settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")

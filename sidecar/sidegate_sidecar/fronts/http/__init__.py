"""The HTTP front: a small server of its own, and behind it the app, once somebody asks for it."""

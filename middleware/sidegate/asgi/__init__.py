"""The ASGI middleware, and how it answers and runs in any loop."""

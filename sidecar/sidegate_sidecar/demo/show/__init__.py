"""How the demo is shown."""

"""What is to be sent when, and what a limiter should make of it. Pure."""

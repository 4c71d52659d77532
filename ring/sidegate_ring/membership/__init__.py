"""Which nodes there are: SWIM with Lifeguard. Pure."""

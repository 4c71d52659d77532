"""Two rules files held against an access log: what each would have denied. Pure."""

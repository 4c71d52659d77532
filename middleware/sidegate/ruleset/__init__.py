"""A rules file: what it may say, and which of its rules a request falls under. Pure."""

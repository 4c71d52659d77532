"""The options of the command: what they are called, what they are for, how they are read."""

"""The one connection of a process, multiplexed among its threads or greenlets."""

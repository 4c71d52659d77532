"""Which requests may go on, decided by their heads."""

"""What peers are measured at, and the tables of it."""

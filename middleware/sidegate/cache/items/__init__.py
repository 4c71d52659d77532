"""What values are: their keys, their bytes, their times, and copies of them. Pure."""

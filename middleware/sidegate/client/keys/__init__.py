"""Keys of many clients at once: what is asked about them, and what the answer is."""

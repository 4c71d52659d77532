"""Side-by-side benchmarks against what a user would pick instead: `python -m bench`."""

"""The storage and the strategy for the library limits, part by part."""

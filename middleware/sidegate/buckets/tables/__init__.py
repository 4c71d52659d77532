"""Tables: which buckets there are, what they take of the memory, and which go when. Pure."""

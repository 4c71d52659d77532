"""Tables: which buckets there are, what they take of the memory, and which of them go when. Pure."""

"""This node among the others: its place on the ring, joining and leaving."""

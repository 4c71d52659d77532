"""What other nodes say, and in which order and turns it is heard."""

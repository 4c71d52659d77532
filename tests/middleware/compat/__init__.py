"""What other libraries' users come over with, part by part."""

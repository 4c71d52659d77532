"""What other libraries need to be limited by sidegate; each module knows one of them."""

"""Other limiters that are servers, beside ours: built, run, asked, and compared."""

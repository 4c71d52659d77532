"""The page at /: the files that a browser is given, as they lie in the folder `static`."""

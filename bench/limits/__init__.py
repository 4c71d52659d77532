"""What checks of some kinds of limits cost."""

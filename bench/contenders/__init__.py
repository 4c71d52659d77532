"""What is measured side by side: sidegate, and what one could use instead."""

"""How peers are asked: as their documentation has it, and by hand, in batches as ours."""

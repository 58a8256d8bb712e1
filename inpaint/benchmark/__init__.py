"""How fast: everything in turns within one run."""

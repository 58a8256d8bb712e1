"""Weight files, foreign formats and run folders."""

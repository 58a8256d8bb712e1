"""EraseNet: finds text and removes it, by a mask branch beside a coarse and a refining network."""

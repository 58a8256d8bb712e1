"""Style transfer by optimization: content of one image, statistics of others (Gatys et al., arXiv 1508.06576)."""

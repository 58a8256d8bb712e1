"""Deep image blending: gradients of the source, style of the target (Zhang, Wen, Shi 2019, arXiv 1910.11495)."""

"""EdgeConnect: edges first, then colors (Nazeri et al. 2019)."""

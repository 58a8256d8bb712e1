"""Pluralistic: several plausible fills of one hole (Zheng et al. 2019)."""

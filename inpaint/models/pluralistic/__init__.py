"""Pluralistic image completion: several plausible fills of one hole."""

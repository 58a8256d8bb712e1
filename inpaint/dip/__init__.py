"""Deep Image Prior: restoring one photo by a network that is fitted to it."""

"""EdgeConnect: lines first, then colors."""

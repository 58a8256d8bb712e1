"""EdgeConnect: lines first, then colours."""

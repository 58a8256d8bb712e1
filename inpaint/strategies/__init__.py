"""How a fill is put to work on photos of any size, and how its border is made good: wrappers around a fill."""

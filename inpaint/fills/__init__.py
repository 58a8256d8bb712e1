"""What every fill shares; knows no method."""

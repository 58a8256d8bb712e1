"""Partial convolutions: a U-Net that knows at every layer what it has seen."""

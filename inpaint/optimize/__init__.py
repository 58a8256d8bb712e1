"""Fitting one picture: the loop, its steps, and what can be plugged in; no method lives here."""

"""Fills and solvers without learning."""

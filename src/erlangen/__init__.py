"""Symmetry in data, models and designs."""

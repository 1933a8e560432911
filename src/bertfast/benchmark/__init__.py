"""Measures speed against other tokenizers, after comparing ids with the reference's."""

"""Measures prediction against other runtimes, after comparing embeddings with ours."""

"""A module a runtime: what it needs made of the model, and texts to embeddings with it."""

"""What is watched, kept and shown while a model is learned."""

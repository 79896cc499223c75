"""Runs as ``lightning runs`` lists them; nothing large is imported but to remove some, so that a list comes at once."""

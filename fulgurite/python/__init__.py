"""Trained models in a program: what ``import fulgurite`` offers."""

"""Trained systems as files that run without this project: written, described, checked and run."""

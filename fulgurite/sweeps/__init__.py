"""Searching the settings of an experiment: the space, the study, its trials, their page."""

"""Runs beside each other: what they reached, what differs between them, and what of that may be chance."""

"""Inspected parts: pictures with defects, their tiles, synthetic defects, the embedded weave."""

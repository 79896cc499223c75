"""Clips of video with anomalies: layouts, labels, the clip cache, windows, pseudo-anomalies."""

"""Fulgurite: train, judge and ship generative models for video, images and sound."""

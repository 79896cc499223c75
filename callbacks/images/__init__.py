"""Callbacks for generators of images: metrics of reconstructions and samples, media of validations, predictions."""

"""Callbacks for inspected parts: metrics of tiles, images and pixels, media of validations, predictions of defects."""

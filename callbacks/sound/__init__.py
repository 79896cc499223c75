"""Callbacks for video generated from sound: metrics, media of validations, predictions of video tracks."""

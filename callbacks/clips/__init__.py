"""Callbacks for video with anomalies: metrics of the scores of frames, media of validations, predictions of videos."""

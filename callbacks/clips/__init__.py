"""What is told of clips of video with anomalies: scores of frames, plots, media, predictions."""

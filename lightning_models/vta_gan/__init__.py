"""VTA-GAN: video anomaly detection with temporal attention and optical flow."""

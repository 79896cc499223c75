"""What writes documents and their pictures; nothing of it is installed."""

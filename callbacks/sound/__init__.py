"""What is told of pictures drawn to sound: their measures, films side by side, video tracks."""

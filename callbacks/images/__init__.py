"""What is told of generators of images: the health of training, quality of samples, sheets."""

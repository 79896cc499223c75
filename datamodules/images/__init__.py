"""Folders of pictures: layouts and splits, the picture cache, the embedded shapes."""

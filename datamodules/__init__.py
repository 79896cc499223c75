"""Where data comes from, and the form in which it travels."""

from datamodules.video_snippets import VideoSnippetDataModule

__all__ = ["VideoSnippetDataModule"]

"""Where data comes from, and the form in which it travels."""

from datamodules.aitex import AitexDataModule
from datamodules.audio_video import AudioVideoDataModule
from datamodules.image_folder import ImageFolderDataModule
from datamodules.video_snippets import VideoSnippetDataModule

__all__ = ["AitexDataModule", "AudioVideoDataModule", "ImageFolderDataModule", "VideoSnippetDataModule"]

"""Where data comes from, and the form in which it travels."""

from datamodules.clips.video_snippets import VideoSnippetDataModule
from datamodules.images.image_folder import ImageFolderDataModule
from datamodules.parts.aitex import AitexDataModule
from datamodules.sound.audio_video import AudioVideoDataModule

__all__ = ["AitexDataModule", "AudioVideoDataModule", "ImageFolderDataModule", "VideoSnippetDataModule"]

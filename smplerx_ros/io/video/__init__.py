"""Read and write video files through PyAV, which is imported only when a video is opened."""

from .reader import DEFAULT_RATE, VideoFrame, VideoReader
from .writer import VideoWriter

__all__ = ["DEFAULT_RATE", "VideoFrame", "VideoReader", "VideoWriter"]

"""How OpenCV behaves in a process that serves: set once at its start."""

import cv2


def use_opencv_quietly() -> None:
    """One thread per call, since frames are already worked on in parallel; no words of its own on standard error."""
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

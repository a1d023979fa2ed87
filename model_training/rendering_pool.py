"""Processes that make frames."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

import cv2


def rendering_pool(processes: int | None = None) -> ProcessPoolExecutor:
    """A pool whose processes have one thread each and end with this process, also by kill -9.

    Args:
        processes: as many as the machine has cores when None.
    """
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker)


def _begin_worker() -> None:
    """One thread, and an end with the owner: a pool does not notice that its owner was killed."""
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

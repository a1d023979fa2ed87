"""How many pixels one launch may read."""

from gateway.cuda.batch_room import batch_bytes

UHD = 3840 * 2160 * 3


def test_a_whole_batch_of_4k_frames_where_there_is_the_memory() -> None:
    assert batch_bytes(8, 2, 80 * 2**30) == 8 * UHD
    assert batch_bytes(2, 2, 80 * 2**30) == 64 * 2**20


def test_a_small_gpu_keeps_most_of_its_memory() -> None:
    assert batch_bytes(8, 2, 4 * 2**30) == 128 * 2**20
    assert batch_bytes(8, 4, 4 * 2**30) == 64 * 2**20


def test_where_the_memory_is_not_known_it_is_little() -> None:
    assert batch_bytes(8, 2, 0) == 64 * 2**20

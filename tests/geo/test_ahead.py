"""Reading ahead and writing behind: order, bounds, errors, and that nothing runs on afterwards."""

import threading
import time

import pytest

from rsgan.geo import ahead, behind


def test_all_are_made_in_order_and_by_one_other_thread() -> None:
    threads: set[int] = set()

    def make(item: int) -> int:
        threads.add(threading.get_ident())
        return item * item

    with ahead(make, range(20), 3) as made:
        assert list(made) == [item * item for item in range(20)]
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    with ahead(make, ()) as made:
        assert list(made) == []


def test_no_more_are_made_than_are_asked_for_and_some() -> None:
    begun: list[int] = []
    with ahead(lambda item: begun.append(item), range(100), 2) as made:
        next(made)
        time.sleep(0.1)
        assert len(begun) <= 1 + 3
    assert len(begun) <= 1 + 4


def test_what_making_raises_is_raised_where_it_is_asked_for() -> None:
    def make(item: int) -> int:
        if item == 2:
            raise ValueError("the third")
        return item

    with ahead(make, range(5)) as made:
        assert [next(made), next(made)] == [0, 1]
        with pytest.raises(ValueError, match="the third"):
            next(made)


def test_after_an_error_of_the_caller_nothing_reads_on() -> None:
    running = threading.Event()

    def make(item: int) -> int:
        running.set()
        time.sleep(0.05)
        running.clear()
        return item

    def interrupted() -> None:
        with ahead(make, range(50)) as made:
            next(made)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not running.is_set()


def test_tasks_are_done_in_order_while_the_caller_goes_on() -> None:
    done: list[int] = []
    gate = threading.Event()
    with behind(1) as later:
        later(gate.wait)
        later(lambda: done.append(1))
        assert done == []
        gate.set()
        for number in range(2, 10):
            later(lambda number=number: done.append(number))
    assert done == list(range(1, 10))


def test_no_more_tasks_wait_than_are_allowed() -> None:
    held, most = threading.Semaphore(0), 0
    lock, waiting = threading.Lock(), 0

    def task() -> None:
        nonlocal waiting
        held.acquire()
        with lock:
            waiting -= 1

    with behind(2) as later:
        for _ in range(12):
            with lock:
                waiting += 1
                most = max(most, waiting)
            held.release()
            later(task)
    assert most <= 4


def test_what_a_task_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise OSError("disk full")

    after: list[int] = []

    def give(more: int) -> None:
        with behind() as later:
            later(fail)
            for _ in range(more):
                later(lambda: after.append(1))
                time.sleep(0.001)

    for more in (100, 0):
        with pytest.raises(OSError, match="disk full"):
            give(more)
    assert len(after) < 100


def test_after_an_error_of_the_caller_waiting_tasks_are_dropped() -> None:
    done: list[int] = []

    def interrupted() -> None:
        with behind(5) as later:
            later(lambda: time.sleep(0.1))
            later(lambda: done.append(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == []

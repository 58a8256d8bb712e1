import threading
import time
from contextlib import closing

import pytest

from inpaint.system.parallel import Budget, Work, in_order


def slow_first(number):
    time.sleep(0.05 if number == 0 else 0)
    return number * number


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_answers_come_in_the_order_of_the_questions(jobs):
    work = ((str(n), Work(lambda n=n: slow_first(n), alone=n % 3 == 1)) for n in range(12))
    assert list(in_order(work, jobs=jobs)) == [(str(n), n * n) for n in range(12)]


def test_pieces_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=10)  # broken unless three are there at once
    work = ((n, Work(lambda: meeting.wait() >= 0)) for n in range(6))
    assert all(answer for _, answer in in_order(work, jobs=3))


def test_what_has_to_be_alone_runs_in_the_asking_thread_while_nothing_else_does():
    running, seen = set(), []

    def others(number):
        running.add(number)
        time.sleep(0.01)
        running.discard(number)

    def alone():
        seen.append((threading.current_thread() is threading.main_thread(), set(running)))

    work = [(n, Work(alone, alone=True) if n in (3, 4, 9) else Work(lambda n=n: others(n))) for n in range(10)]
    list(in_order(iter(work), jobs=4))
    assert seen == [(True, set())] * 3


def test_work_is_not_asked_for_far_ahead():
    asked = []

    def work():
        for n in range(100):
            asked.append(n)
            yield n, Work(lambda: None)

    with closing(in_order(work(), jobs=2)) as answers:
        next(answers)
        assert len(asked) <= 5


def test_long_pieces_between_short_ones_run_at_the_same_time_when_asked_for_far_enough_ahead():
    meeting = threading.Barrier(2, timeout=10)
    work = [(n, Work((lambda: meeting.wait() >= 0) if n % 6 == 0 else (lambda: True))) for n in range(12)]
    assert all(answer for _, answer in in_order(work, jobs=2, ahead=12))


def test_an_error_ends_it_and_what_has_not_begun_is_dropped():
    done, hurried = [], []

    def fail(number):
        if number == 1:
            raise KeyError("broken")
        time.sleep(0.02)
        done.append(number)

    work = ((n, Work(lambda n=n: fail(n))) for n in range(100))
    with pytest.raises(KeyError, match="broken"):
        list(in_order(work, jobs=2, leaving=lambda: hurried.append(True)))
    assert len(done) < 8
    assert hurried == [True]


def test_work_shares_a_budget_and_what_exceeds_it_is_done_alone():
    budget, lock, running, most = Budget(10), threading.Lock(), [], []

    def work(amount):
        with budget.spending(amount):
            with lock:
                running.append(amount)
                most.append((sum(running), len(running)))
            time.sleep(0.01)
            with lock:
                running.remove(amount)

    amounts = [4, 4, 4, 25, 1, 9, 2, 5, 0, 0]
    threads = [threading.Thread(target=work, args=(amount,)) for amount in amounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(most) == len(amounts)
    assert all(spent <= 10 or count == 1 for spent, count in most)
    assert any(count > 1 for _, count in most)


def test_a_budget_is_given_back_when_work_fails():
    budget = Budget(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), budget.spending(1):
            raise ValueError("no")
    with budget.spending(1):
        pass

"""What is known about this process and its machine."""

from inpaint.system.environment import process_age_s


def test_the_age_of_this_process_is_known():
    assert 0 <= process_age_s() < 24 * 3600

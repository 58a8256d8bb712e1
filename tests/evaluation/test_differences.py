import numpy as np
import pytest

from inpaint.errors import InputError, UsageError
from inpaint.evaluation.differences import LEAST, best_model, between, differences
from inpaint.metrics import measures

L1, PSNR, RATIO = (measures([name]).of_images[0] for name in ("l1_hole", "psnr_hole", "hole_ratio"))


def compared(*columns, measure=PSNR, **options):
    """Compare models named a, b, ... by their values on the photos."""
    values = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)[:, :, None]
    return differences(values, models=[*"abcdefgh"[: len(columns)]], measures=[measure], **options)


def test_a_constant_gain_is_shown_with_its_size():
    photos = np.random.default_rng(0).normal(20, 3, 10)
    [found] = compared(photos, photos + 0.5)
    assert (found.model, found.against, found.n, found.left_out, found.tests) == ("b", "a", 10, 0, 1)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.wins, found.ties, found.losses) == (1.0, 0.0, 0.0)
    assert found.p == found.p_holm == pytest.approx(2 / 2**10)
    assert found.verdict == "better"


def test_the_direction_is_the_measure_s():
    photos = np.random.default_rng(0).normal(20, 3, 10)
    [found] = compared(photos, photos + 0.5, measure=L1)
    assert (found.verdict, found.wins, found.losses) == ("worse", 0.0, 1.0)
    assert found.mean == pytest.approx(0.5)
    assert compared(photos, photos + 0.5, measure=RATIO) == []


def test_a_comparison_turned_around_is_that_of_the_models_the_other_way_round():
    rng = np.random.default_rng(2)
    one, other = rng.normal(0, 1, 30), rng.normal(1, 1, 30)
    [found], [turned] = compared(one, other), compared(other, one)
    seen = found.turned()
    assert (seen.model, seen.against) == ("a", "b")
    assert (seen.mean, seen.wins, seen.losses, seen.verdict, seen.p) == (
        pytest.approx(turned.mean),
        turned.wins,
        turned.losses,
        turned.verdict,
        pytest.approx(turned.p),
    )
    assert (seen.low, seen.high) == pytest.approx((turned.low, turned.high), abs=0.02)  # other resamples lie there
    assert seen.turned() == found
    assert list(between([found], "a", "b")) == [seen]
    assert list(between([found], "b", "a")) == [found]


def test_only_photos_that_both_filled_are_compared_and_the_others_are_counted():
    nan = np.nan
    one = [nan, 1, 2, 3, 4, 5, 6, 7, nan, np.inf]
    other = [5.0, nan, 3, 4, 5, 6, 7, 9, nan, 1]
    [found] = compared(one, other)
    assert (found.n, found.left_out) == (6, 3)  # one photo that neither filled is nobody's fault
    assert found.mean == pytest.approx(7 / 6)
    assert found.wins == 1.0


def test_a_model_without_any_value_leaves_the_others_comparable():
    photos = np.arange(12.0)
    found = compared(photos, np.full(12, np.nan), photos + 1)
    assert [(each.model, each.against, each.verdict) for each in found] == [
        ("b", "a", "too few photos"),
        ("c", "a", "better"),
        ("c", "b", "too few photos"),
    ]
    assert (found[0].n, found[0].mean, found[0].p, found[0].low, found[0].tests) == (0, None, None, None, 1)


def test_five_photos_show_nothing_and_have_no_interval():
    [found] = compared(np.zeros(LEAST - 1), np.arange(1.0, LEAST))
    assert (found.verdict, found.mean, found.low, found.p, found.p_holm) == ("too few photos", 3.0, None, None, None)


def test_too_few_photos_depends_on_how_much_is_compared():
    # Six wins of six have p = 2/64 = 0.031: enough for one comparison; three of them need 0.0167.
    rng = np.random.default_rng(0)
    assert compared(np.zeros(6), np.arange(1.0, 7))[0].verdict == "better"
    few = compared(np.zeros(6), rng.normal(0, 1, 6), rng.normal(0, 1, 6))
    assert {each.verdict for each in few} == {"too few photos"}
    many = compared(*rng.normal(0, 1, (3, 40)))
    assert {each.verdict for each in many} == {"no difference shown"}


def test_models_that_answer_the_same_do_not_differ():
    photos = np.arange(20.0)
    [found] = compared(photos, photos)
    assert (found.verdict, found.p, found.mean, found.ties) == ("no difference shown", 1.0, 0.0, 1.0)


def test_one_photo_that_decides_the_mean_against_all_ranks_shows_nothing():
    gains = np.array([0.1] * 29 + [-200.0]) + np.arange(30) / 1000
    [found] = compared(np.zeros(30), gains)
    assert found.p_holm < 0.001  # the ranks say better, the mean says worse
    assert found.mean < 0
    assert found.verdict == "no difference shown"


def test_p_are_corrected_over_all_measures_and_pairs_of_the_group():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (25, 3, 2)) + np.array([0, 0.4, 0.8])[None, :, None]
    found = differences(values, models=["a", "b", "c"], measures=[PSNR, L1])
    assert len(found) == 6
    assert {each.tests for each in found} == {6}
    by_p = sorted(found, key=lambda each: each.p)
    steps = np.maximum.accumulate([min(1, (6 - rank) * each.p) for rank, each in enumerate(by_p)])
    assert [each.p_holm for each in by_p] == pytest.approx(steps)


def test_a_baseline_named_beforehand_is_compared_with_alone():
    rng = np.random.default_rng(1)
    found = compared(*rng.normal(0, 1, (4, 25)), against="c")
    assert [(each.model, each.against, each.tests) for each in found] == [("a", "c", 3), ("b", "c", 3), ("d", "c", 3)]
    with pytest.raises(UsageError, match="unknown model to compare with 'x'; valid: a, b"):
        compared(np.zeros(9), np.zeros(9), against="x")


def test_values_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"\(photos, 1 models, 1 measures\), got \(5, 2, 1\)"):
        differences(np.zeros((5, 2, 1)), models=["a"], measures=[PSNR])


def test_the_best_is_found_on_photos_that_all_filled():
    values = np.array([[1.0, 2.0, np.nan], [3.0, 2.5, np.nan], [np.nan, 90.0, np.nan]])
    assert best_model(values, ["a", "b", "c"], L1) == "a"  # 2.0 against 2.25 on the two photos that both filled
    assert best_model(values, ["a", "b", "c"], PSNR) == "b"
    assert best_model(values[:, 2:], ["c"], PSNR) is None
    assert best_model(values, ["a", "b", "c"], RATIO) is None


def shown_of_equal_models(*, models, photos, rounds, seed=0):
    """Return in how many rounds of models without any difference one is shown."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(rounds):
        hard = rng.normal(20, 4, (photos, 1))  # what photos have in common
        values = hard + rng.standard_t(4, (photos, models))
        result = differences(values[:, :, None], models=[*"abcd"[:models]], measures=[PSNR], resamples=1000)
        found += any(each.verdict in ("better", "worse") for each in result)
    return found / rounds


def test_equal_models_are_seldom_shown_to_differ():
    assert shown_of_equal_models(models=2, photos=20, rounds=150) < 0.1


@pytest.mark.slow
def test_equal_models_are_shown_to_differ_in_at_most_5_of_100_tables():
    two = shown_of_equal_models(models=2, photos=30, rounds=800)
    four = shown_of_equal_models(models=4, photos=30, rounds=200)
    assert 0.025 < two < 0.065  # both the test and the interval must show it: somewhat below 0.05
    assert four < 0.08


def test_a_difference_of_half_a_spread_is_found_with_a_hundred_photos():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(20):
        base = rng.normal(20, 4, 100)
        found += compared(base, base + rng.normal(0.5, 1, 100), resamples=1000)[0].verdict == "better"
    assert found >= 19

import numpy as np
import pytest

from inpaint.errors import ConfigError, UsageError
from inpaint.models.styling import NetworkStylizer
from inpaint.models.wct.config import Config, WctOptions
from inpaint.models.wct.network import Network
from inpaint.options import validated
from inpaint.types import StylePart

RNG = np.random.default_rng(0)
CONTENT, STYLE = RNG.random((45, 70, 3), dtype=np.float32), RNG.random((40, 56, 3), dtype=np.float32)


@pytest.fixture
def network(lively):
    return lively(Network(Config(**Config.SMALL)), gain=1.4).double().eval()


def painted(network, content=CONTENT, seed=0, **options):
    stylizer = NetworkStylizer(network, WctOptions(**options), name="wct")
    return stylizer.stylize(content, [StylePart(style=STYLE)], seed=seed).image


def test_levels_are_gone_through_in_the_order_given(network):
    usual = painted(network)
    assert np.array_equal(painted(network, levels=(3, 2, 1)), usual)
    assert not np.allclose(painted(network, levels=(1, 2, 3)), usual, atol=1e-3)
    assert not np.allclose(painted(network, rounds=2), usual, atol=1e-3)
    assert np.array_equal(painted(network, levels=(3, 2, 1, 3, 2, 1)), painted(network, rounds=2))


def test_a_texture_comes_of_noise_that_depends_on_the_seed_alone(network):
    texture = painted(network, start="noise")
    assert np.array_equal(painted(network, 1 - CONTENT, start="noise"), texture)
    assert np.array_equal(painted(network, start="noise", rounds=3), texture)
    assert not np.allclose(painted(network, start="noise", seed=1), texture, atol=1e-3)


def test_levels_that_there_are_not_are_refused(network):
    with pytest.raises(UsageError, match=r"levels=\[4\]: this network has decoders of the levels 1 to 3"):
        painted(network, levels=(4,))
    with pytest.raises(ConfigError, match="levels: name one level at least"):
        validated(WctOptions, {"levels": []})
    with pytest.raises(ConfigError, match="levels"):
        validated(WctOptions, {"levels": [6]})

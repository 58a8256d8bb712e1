import pytest

from evaluations import MASKS
from inpaint.evaluation import evaluate


@pytest.fixture
def models(make_gray_inpainter):
    return {"gray": make_gray_inpainter(0.5, "gray"), "dark": make_gray_inpainter(0.1, "dark")}


@pytest.fixture
def run(models, photo_folder, tmp_path):
    """Evaluate the two fakes on four photos at 24 x 24; keywords replace options."""

    def start(output="out", chosen=models, **options):
        options = {"data": str(photo_folder), "masks": MASKS, "size": 24, "pictures": 0, **options}
        return evaluate(chosen, output=tmp_path / output, **options)

    return start

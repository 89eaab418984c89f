import re

import pytest

from tlkit.backbones import registry
from tlkit.backbones.cut_points import cut_points
from tlkit.config import build_config, resolve
from tlkit.recipe import recipe_folder, recipe_names
from tlkit.training.finetune import finetune

pytestmark = pytest.mark.usefixtures("plain_plots")

TOLD = ("Data:", "Score:", "Time:", "Machine:")


@pytest.mark.parametrize("name", recipe_names())
def test_the_header_tells_command_data_score_time_and_machine(name):
    text = (recipe_folder() / f"{name}.yaml").read_text()
    header = " ".join(
        line.lstrip("# ") for line in text.splitlines() if line.startswith("#")
    )
    assert re.search(rf"tlkit finetune \S+ --recipe {name}\b", header)
    assert all(word in header for word in TOLD) or "not run" in header


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_names_a_known_layer_and_takes_a_step(name, prepared, tmp_path):
    config = resolve(build_config(recipe=name))
    backbone = registry.find(config.model.backbone)
    assert config.model.cut in {point.name for point in cut_points(backbone)}
    run = finetune(
        prepared.directory,
        tmp_path / "run",
        recipe=name,
        weights="none",
        freeze_to=config.model.cut,
        size=backbone.min_size,
        epochs=1,
        workers=0,
    )
    assert run.info["best_epoch"] == 1

"""The recipe for users of transformers, as its page shows it, with a model that is made here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepmatte

if TYPE_CHECKING:
    from conftest import Scene

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[1] / "docs" / "devices.md"


@pytest.fixture
def model(scene: Scene) -> Path:
    """A tiny SegFormer on disk, which has learned the scene."""
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8
    )
    config.id2label, config.label2id = {0: "wall", 1: "person"}, {"wall": 0, "person": 1}
    network: Any = transformers.SegformerForSemanticSegmentation(config)
    processor = transformers.SegformerImageProcessor(size={"height": 96, "width": 128})
    inputs = processor(scene.image, (scene.alpha > 0.5).astype(np.uint8), return_tensors="pt")
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        network(**inputs).loss.backward()
        optimizer.step()
    network.save_pretrained(scene.folder / "model")
    processor.save_pretrained(scene.folder / "model")
    return scene.folder / "model"


def test_a_segmentation_model_of_transformers_gives_the_mask(
    scene: Scene, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe,) = re.findall(r"```python\n(from transformers.*?)```", GUIDE.read_text(), re.DOTALL)
    recipe, count = re.subn(r'model="[^"]+"', f"model={str(model)!r}", recipe)
    assert count == 1
    scene.picture.rename(scene.folder / "photo.jpg")
    monkeypatch.chdir(scene.folder)

    made: dict[str, Any] = {"deepmatte": deepmatte}
    exec(recipe, made)

    assert np.abs(made["matte"].alpha - scene.alpha).mean() < 0.02

"""Which backbones a search may try."""

from __future__ import annotations

import socket

import pytest

from automl.components import Backbone
from automl.components.backbone import Weights
from automl.errors import UsageError, WeightsUnavailableError
from automl.plugins import PluginManager, plugin_manager
from automl.tuning.candidates import find_candidates


class Downloaded(Backbone):
    """A backbone whose weights would be downloaded."""

    depths = (1, 2)
    resolutions = (8,)

    def __init__(self, name, url, hint=""):
        self.name, self.url, self.hint = name, url, hint

    def cost(self, depth, resolution):
        return 1.0

    def weights(self, depth):
        return Weights("test", None, self.url, self.hint)

    def build(self, depth, resolution, weights):
        raise AssertionError("finding candidates builds nothing")


@pytest.fixture
def closed():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/weights"


@pytest.fixture
def manager():
    return PluginManager()


def names(candidates):
    return {candidate.backbone.name: list(candidate.depths) for candidate in candidates}


def test_what_needs_no_weights_is_always_there():
    candidates, _ = find_candidates(plugin_manager(), {}, 8)
    assert {"pixels", "small-cnn"} <= set(names(candidates))


def test_small_networks_are_not_tried_on_photos_unless_asked():
    assert "small-cnn" not in names(find_candidates(plugin_manager(), {}, 1000)[0])
    asked, notes = find_candidates(plugin_manager(), {"backbone": "small-cnn"}, 1000)
    assert names(asked) == {"small-cnn": [2, 3, 4]}
    assert notes == []


def test_weights_that_cannot_be_had_are_one_note(manager, closed):
    for name in ("alpha", "beta"):
        manager.backbones.add(Downloaded(name, closed), "test")
    manager.backbones.add(plugin_manager().backbones["pixels"], "test")
    candidates, notes = find_candidates(manager, {}, 8)
    assert list(names(candidates)) == ["pixels"]
    assert len(notes) == 1
    assert "now: alpha, beta (see" in notes[0]
    assert "automl doctor" in notes[0]


def test_weights_that_can_be_downloaded_count(manager):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/weights"
        manager.backbones.add(Downloaded("alpha", url), "test")
        candidates, notes = find_candidates(manager, {}, 8)
        assert names(candidates) == {"alpha": [1, 2]}
        assert notes == []
        server.settimeout(1)
        server.accept()[0].close()
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):  # one visit for both depths
            server.accept()


def test_a_pinned_backbone_without_weights(manager, closed):
    manager.backbones.add(Downloaded("alpha", closed, "put them into ~/weights"), "test")
    with pytest.raises(WeightsUnavailableError) as error:
        find_candidates(manager, {"backbone": "alpha", "depth": "2"}, 8)
    assert "weights for alpha 2, found none" in str(error.value)
    assert str(error.value).endswith("; put them into ~/weights.")


def test_nothing_at_all(manager, closed):
    for name in ("alpha", "beta"):
        manager.backbones.add(Downloaded(name, closed), "test")
    with pytest.raises(WeightsUnavailableError, match="found none; install one"):
        find_candidates(manager, {}, 8)


def test_weights_of_ones_own_need_no_network(manager, closed, tmp_path):
    manager.backbones.add(Downloaded("alpha", closed), "test")
    file = tmp_path / "mine.pth"
    file.write_bytes(b"weights")
    for weights in (str(file), "random"):
        pins = {"backbone": "alpha", "depth": "1", "weights": weights}
        assert names(find_candidates(manager, pins, 8)[0]) == {"alpha": [1]}


@pytest.mark.parametrize(
    ("pins", "found"),
    [
        ({"backbone": "pixel"}, "did you mean 'pixels'?"),
        ({"depth": "99"}, "found '99'"),
        ({"backbone": "small-cnn", "depth": "9"}, "expected a depth of small-cnn (2, 3, 4)"),
        ({"weights": "random"}, "found weights alone"),
        ({"backbone": "resnet", "weights": "/no/such.pth"}, "found no file '/no/such.pth'"),
    ],
)
def test_wrong_pins(pins, found):
    with pytest.raises(UsageError) as error:
        find_candidates(plugin_manager(), pins, 8)
    assert found in str(error.value)


def test_a_depth_alone_leaves_the_backbones_that_have_it():
    candidates, _ = find_candidates(plugin_manager(), {"depth": "2"}, 8)
    assert {name: depths for name, depths in names(candidates).items() if depths != [2]} == {}
    assert "small-cnn" in names(candidates)

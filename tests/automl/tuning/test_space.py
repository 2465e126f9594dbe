"""The search space: what is declared, what pins do to it, what is drawn from it."""

from __future__ import annotations

import keras_tuner
import pytest

from automl.components import StrategyContext
from automl.errors import UsageError
from automl.plugins import plugin_manager
from automl.tuning.candidates import Candidate
from automl.tuning.space import build_space

MANAGER = plugin_manager()


def space(pins=None, side=32, names=("pixels", "small-cnn", "efficientnet-lite")):
    names = [pins["backbone"]] if pins and "backbone" in pins else names
    candidates = [Candidate(MANAGER.backbones[n], MANAGER.backbones[n].depths) for n in names]
    return build_space(MANAGER, candidates, pins or {}, side)


def draws(made, count=60):
    """Returns values as Keras Tuner draws them at random."""
    oracle = MANAGER.strategies["random"].oracle(
        StrategyContext(made, count, 0, lambda values: 1.0, lambda values: True)
    )
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.verbose = 0
    for number in range(count):
        trial = oracle.create_trial("test")
        if trial.status != "RUNNING":
            break
        yield dict(trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"balanced_accuracy": number / count})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def check(values):
    """Checks that values are whole and belong together."""
    backbone = MANAGER.backbones[values["backbone"]]
    assert values["depth"] in backbone.depths
    assert values["resolution"] in {*backbone.resolutions_for(values["depth"]), 48}
    assert values["head"] in MANAGER.heads
    assert ("weights" in values) == backbone.pretrained
    tuned = values["unfreeze"] > 0
    joined = {"fusion", "scales", "views", "mirror"}
    assert joined & set(values) == (joined if backbone.pretrained and not tuned else set())
    assert values.get("fusion") != f"{values['backbone']} {values['depth']}"
    assert not (tuned and not backbone.trainable)
    assert ("augmentation" in values) == tuned
    gradient = tuned or values["head"] in ("linear", "mlp")
    if not tuned:
        assert values["unfreeze"] == 0
    elif not backbone.pretrained:
        assert values["unfreeze"] == 1
    training = {"optimizer", "lr", "schedule", "epochs", "batch_size"}
    assert training & set(values) == (training if gradient else set())
    assert ("units" in values) == (values["head"] == "mlp")
    if gradient:
        assert 0 < float(values["lr"]) < 1


def test_the_defaults_are_one_whole_configuration():
    check(space().values)


def test_random_draws_are_whole_configurations():
    seen = list(draws(space()))
    assert len(seen) == 60
    for values in seen:
        check(values)
    assert {values["backbone"] for values in seen} == {"pixels", "small-cnn", "efficientnet-lite"}
    assert len({values["head"] for values in seen}) == len(MANAGER.heads)


@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        ({"head": "linear-svm"}, "linear-svm"),  # a choice of words
        ({"backbone": "efficientnet-lite", "depth": "1"}, 1),  # of numbers
        ({"resolution": "48", "backbone": "pixels"}, 48),  # a number that is not on offer
        ({"batch_size": "7"}, 7),
        ({"C": "0.25", "head": "logistic"}, "0.25"),  # text that the head reads
        ({"lr": "0.02"}, "0.02"),  # text that may hold steps
        ({"units": "100", "head": "mlp"}, 100),
        ({"unfreeze": "0.75", "backbone": "efficientnet-lite"}, 0.75),
        ({"fusion": "efficientnet-lite 2"}, "efficientnet-lite 2"),
        ({"fusion": "none"}, "none"),
        ({"scales": "2"}, 2),
        ({"views": "3"}, 3),
        ({"mirror": "yes"}, "yes"),
    ],
    ids=str,
)
def test_a_pin_holds_in_every_draw(pins, expected):
    name = next(name for name, value in pins.items() if value == str(expected))
    made = space(pins)
    seen = [values for values in [made.values, *draws(made, 30)] if name in values]
    assert seen
    for values in seen:
        check(values)
        assert values[name] == expected
        assert type(values[name]) is type(expected)


def test_steps_imply_schedule_and_epochs():
    made = space({"backbone": "small-cnn", "lr": "0.05x7,0.005x7,0.0005"})
    for values in [made.values, *draws(made, 10)]:
        assert (values["schedule"], values["epochs"]) == ("step", 15)
        assert values["lr"] == "0.05x7,0.005x7,0.0005"


@pytest.mark.parametrize(
    ("pins", "found"),
    [
        ({"backbon": "pixels"}, "did you mean 'backbone'?"),
        ({"zzzz": "1"}, "found 'zzzz'"),
        ({"head": "logistics"}, "did you mean 'logistic'?"),
        ({"resolution": "big"}, "found 'big'"),
        ({"resolution": "-8"}, "found '-8'"),
        ({"resolution": "0"}, "found '0'"),
        ({"batch_size": "0"}, "found '0'"),
        ({"epochs": "0"}, "found '0'"),
        ({"batch_size": "3.5"}, "found '3.5'"),
        ({"unfreeze": "half"}, "found 'half'"),
        ({"unfreeze": "2"}, "found '2'"),
        ({"optimizer": "adam"}, "did you mean 'adamw'?"),
        # A dimension that no configuration with the other pins has.
        ({"backbone": "pixels", "unfreeze": "1.0"}, "found unfreeze=1.0"),
        ({"backbone": "small-cnn", "unfreeze": "0.5"}, "found unfreeze=0.5"),
        ({"mirror": "maybe"}, "found 'maybe'"),
        ({"views": "0"}, "found '0'"),
        ({"backbone": "pixels", "views": "5"}, "expected views=5 with a pretrained network"),
        ({"views": "5", "unfreeze": "0.5"}, "found unfreeze=0.5"),
    ],
    ids=str,
)
def test_a_wrong_pin(pins, found):
    with pytest.raises(UsageError, match="expected ") as error:
        space(pins)
    assert found in str(error.value)


def test_copies_keep_pins_and_values():
    made = space({"backbone": "efficientnet-lite", "depth": "2"})
    copy = made.copy()
    assert copy.values == made.values
    assert copy.get("depth") == 2
    copy.values["head"] = "mlp"
    assert made.values["head"] != "mlp"
    copy.ensure_active_values()
    assert copy.values["units"] > 0


def test_networks_without_weights_prefer_the_datas_own_resolution():
    for side in (28, 32, 64):
        made = space(side=side, names=("small-cnn",))
        assert made.values["resolution"] == side


def test_whoever_pins_what_is_joined_wants_frozen_networks():
    asked = {"fusion": "efficientnet-lite 2", "scales": "2", "views": "5", "mirror": "yes"}
    for pins in ({name: value} for name, value in asked.items()):
        seen = list(draws(space(pins), 20))
        assert {values["backbone"] for values in seen} == {"efficientnet-lite"}
        assert {values["unfreeze"] for values in seen} == {0.0}
    assert any(values["unfreeze"] > 0 for values in draws(space({"views": "1"}), 20))


def test_a_network_is_not_joined_by_itself():
    seen = list(draws(space({"fusion": "efficientnet-lite 2"}), 20))
    assert {values["depth"] for values in seen} == {0, 1}
    alone = [Candidate(MANAGER.backbones["efficientnet-lite"], [2])]
    with pytest.raises(UsageError, match="another one than it adds"):
        build_space(MANAGER, alone, {"fusion": "efficientnet-lite 2"}, 32)


def test_it_is_keras_tuners_own():
    assert isinstance(space(), keras_tuner.HyperParameters)


def test_a_pinned_share_leaves_the_networks_that_can_be_tuned_so():
    seen = list(draws(space({"unfreeze": "0.5"}), 20))
    assert {values["backbone"] for values in seen} == {"efficientnet-lite"}
    seen = list(draws(space({"unfreeze": "0"}), 20))
    assert {values["backbone"] for values in seen} == {"efficientnet-lite", "pixels"}

"""The strategies: what they propose, in which order, reproducibly and within the budget."""

from __future__ import annotations

import zlib

import pytest

from automl.components import StrategyContext
from automl.components.strategy import OBJECTIVE
from automl.plugins import plugin_manager
from automl.training.composition import Composition
from automl.tuning.candidates import Candidate
from automl.tuning.space import build_space

MANAGER = plugin_manager()
BACKBONES = ("pixels", "small-cnn", "efficientnet-lite")


def cost(values):
    gmacs = Composition.of(values).cost * values.get("views", 1) * values.get("share", 1)
    return gmacs * (100 if values["unfreeze"] > 0 else 1)


def score(values):
    """A made-up result that follows from the values alone."""
    return 0.5 + zlib.crc32(repr(sorted(values.items())).encode()) / 2**34


def search(
    pins=None,
    trials=None,
    seed=0,
    result=score,
    affordable=lambda values: True,
    limit=40,
    strategy="staged",
    seconds_left=lambda values: 1e9,
    images=0,
    cost=cost,
):
    """Returns the values of the trials that the strategy makes, in order."""
    pins = pins or {}
    names = [pins["backbone"]] if "backbone" in pins else BACKBONES
    candidates = []
    for name in names:
        depths = MANAGER.backbones[name].depths
        wanted = [depth for depth in depths if str(depth) == pins.get("depth", str(depth))]
        candidates.append(Candidate(MANAGER.backbones[name], wanted))
    space = build_space(MANAGER, candidates, pins, 32)
    oracle = MANAGER.strategies[strategy].oracle(
        StrategyContext(space, trials, seed, cost, affordable, seconds_left, images)
    )
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.verbose = 0
    oracle.max_consecutive_failed_trials = 10**9
    made = []
    while len(made) < limit:
        trial = oracle.create_trial("test")
        if trial.status != "RUNNING":
            break
        values = dict(trial.hyperparameters.values)
        made.append(values)
        found = result(values)
        if found is None:
            trial.status = "FAILED"
        else:
            oracle.update_trial(trial.trial_id, {OBJECTIVE: found})
            trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return made


def test_the_same_results_make_the_same_choices():
    pins = {"backbone": "pixels"}  # few points, so that it soon draws at random
    assert search(pins, seed=0) == search(pins, seed=0)
    assert search(pins, seed=0) != search(pins, seed=1)
    assert search() == search()


@pytest.mark.parametrize("strategy", ["random", "bayesian", "grid"])
def test_the_others_are_reproducible_too(strategy):
    first, second = (search(strategy=strategy, limit=15) for _ in range(2))
    assert first == second
    assert len({tuple(sorted(values.items())) for values in first}) == len(first)


@pytest.mark.parametrize("strategy", ["random", "bayesian", "hyperband", "grid"])
def test_the_others_go_on_after_failures(strategy):
    calls = iter(range(100))
    made = search(
        strategy=strategy, limit=17, result=lambda values: 0.5 if next(calls) % 5 else None
    )
    assert len(made) == 17


def test_a_grid_is_every_combination():
    made = search({"backbone": "pixels", "head": "logistic"}, strategy="grid", limit=1000)
    resolutions = [values["resolution"] for values in made]
    assert sorted(resolutions) == sorted(MANAGER.backbones["pixels"].resolutions)


def test_a_gaussian_process_finds_what_is_better():
    def result(values):
        return 0.9 - abs(values["lr"] - 0.01) if values["head"] == "linear" else 0.1

    pins = {"backbone": "pixels", "resolution": "8", "optimizer": "adamw"}
    made = search(pins, strategy="bayesian", limit=30, result=result)
    early, late = made[:12], made[-12:]
    assert sum(values["head"] == "linear" for values in late) > sum(
        values["head"] == "linear" for values in early
    )


def test_hyperband_trains_the_best_for_longer():
    def result(values):
        return 0.9 - abs(values["lr"] - 0.01) + values["epochs"] / 1000

    made = search({"backbone": "small-cnn"}, strategy="hyperband", limit=200, result=result)
    assert {values["epochs"] for values in made} == {1, 3, 9, 27}

    def others(values):
        return tuple(sorted((k, v) for k, v in values.items() if k != "epochs"))

    first, again = made[:27], made[27:36]  # the rungs of the first bracket
    assert {values["epochs"] for values in first} == {1}
    assert {values["epochs"] for values in again} == {3}
    ranked = sorted(first, key=result, reverse=True)
    assert {others(values) for values in again} == {others(values) for values in ranked[:9]}
    assert not any(name.startswith("tuner/") for values in made for name in values)


def test_hyperband_where_epochs_are_pinned():
    made = search({"backbone": "small-cnn", "epochs": "5"}, strategy="hyperband", limit=20)
    assert {values["epochs"] for values in made} == {5}


def test_hyperband_prefers_what_is_trained_in_epochs():
    assert all("epochs" in values for values in search(strategy="hyperband"))
    made = search({"backbone": "pixels", "head": "logistic"}, strategy="hyperband")
    assert made


def test_nothing_is_proposed_twice():
    made = [tuple(sorted(values.items())) for values in search()]
    assert len(made) == 40
    assert len(set(made)) == 40


def test_the_cheapest_network_comes_first_frozen():
    first = search()[0]
    assert first["backbone"] == "pixels"
    assert first["unfreeze"] == 0
    assert first["head"] == "logistic"


def test_a_small_budget_begins_at_a_resolution_that_it_can_tune_too():
    def first(seconds):
        pins = {"backbone": "efficientnet-lite", "depth": "0"}
        return search(pins, limit=1, seconds_left=lambda values: seconds)[0]["resolution"]

    sides = [first(seconds) for seconds in (1e9, 40.0, 25.0, 0.0)]
    assert sides[0] == 224 == sides[-1]  # where nothing fits, the preferred one is tried
    assert sides[0] > sides[1] > sides[2]


def samples(images=60_000, seconds=10.0, **options):
    """Returns depth and share of the frozen trials of a network of three depths."""

    def result(values):
        return 0.5 + 0.1 * (values["depth"] == 1) + 0.05 * values["share"]

    pins = {"backbone": "efficientnet-lite", "unfreeze": "0", "head": "logistic"}
    made = search(
        pins, result=result, seconds_left=lambda values: seconds, images=images, **options
    )
    return [(values["depth"], values["share"]) for values in made if not extras(values)]


def test_networks_are_compared_on_samples_of_many_images():
    made = samples()
    assert sorted(made[:3]) == [(0, 1 / 16), (1, 1 / 16), (2, 1 / 16)]
    assert made.index((1, 1 / 4)) < made.index((1, 1.0))
    better, others = made.index((1, 1.0)), [(0, 1.0), (2, 1.0)]
    assert all(better < made.index(each) for each in others if each in made)


def test_of_fewer_images_samples_are_larger():
    assert {share for _, share in samples(images=10_000)[:3]} == {1 / 4}


@pytest.mark.parametrize(
    "few", [{"images": 5_000}, {"seconds": 1e9}, {"trials": 5}], ids=lambda few: next(iter(few))
)
def test_where_all_images_cost_little_or_trials_are_counted_there_are_no_samples(few):
    assert {share for _, share in samples(**few)} == {1.0}


def test_a_pinned_share_is_kept():
    made = search({"share": "0.25"}, images=60_000, seconds_left=lambda values: 10.0)
    assert {values["share"] for values in made} <= {1 / 16, 0.25}
    assert 0.25 in {values["share"] for values in made}


def test_what_helped_in_this_run_is_preferred():
    def tuned_trials(helps):
        calls = iter(range(100))

        def result(values):
            progress = 0.5 + 0.02 * next(calls)
            return progress if (values["unfreeze"] > 0) == helps else 0.5

        made = search({"backbone": "efficientnet-lite"}, result=result, limit=40)
        return sum(values["unfreeze"] > 0 for values in made)

    assert tuned_trials(helps=True) > tuned_trials(helps=False)


def test_the_best_networks_are_tuned():
    def result(values):
        return 0.9 if (values["backbone"], values["depth"]) == ("efficientnet-lite", 1) else 0.5

    tuned = [values for values in search(result=result) if values["unfreeze"] > 0]
    tuned = [values for values in tuned if values["backbone"] != "small-cnn"]
    assert (tuned[0]["backbone"], tuned[0]["depth"]) == ("efficientnet-lite", 1)


def test_networks_are_tuned_as_the_recipes_say():
    made = search({"backbone": "efficientnet-lite", "depth": "0"})
    tuned = [values for values in made if values["unfreeze"] > 0]
    assert {(values["unfreeze"], values["lr"]) for values in tuned} >= {(0.25, 1e-3), (0.5, 5e-4)}


def test_nothing_is_trained_again_for_less_long():
    made = search({"backbone": "efficientnet-lite", "depth": "0"}, seconds_left=lambda values: 90.0)
    for number, values in enumerate(made):
        same = [each for each in made[:number] if {**each, "epochs": 0} == {**values, "epochs": 0}]
        assert all(each["epochs"] < values["epochs"] for each in same)


def test_only_what_is_affordable_is_proposed():
    made = search(affordable=lambda values: cost(values) < 1)
    assert made
    assert all(cost(values) < 1 for values in made)
    assert search(affordable=lambda values: False) == []


def test_it_ends_when_the_trials_are_spent():
    assert len(search(trials=3)) == 3


def test_it_goes_on_after_failures():
    made = search(result=lambda values: None if values["backbone"] == "pixels" else score(values))
    assert {values["backbone"] for values in made} == set(BACKBONES)


LITE = {"backbone": "efficientnet-lite", "depth": 0, "resolution": 224}
EXTRAS = {"fusion": "none", "scales": 1, "views": 1, "mirror": "no"}


def extras(values):
    """Returns what is joined to a configuration's own network."""
    return {name: values[name] for name, nothing in EXTRAS.items() if values.get(name) != nothing}


def test_what_pays_off_is_built_upon():
    def result(values):
        better = 0.1 * ("fusion" in joined(values)) + 0.02 * ("mirror" in joined(values))
        return 0.5 + better - 0.2 * (values["unfreeze"] > 0)

    def joined(values):
        return extras(values) if values["unfreeze"] == 0 else {}

    made = [joined(values) for values in search({"backbone": "efficientnet-lite"}, result=result)]
    assert made[0] == {}
    assert [len(each) for each in made].index(1) < [len(each) for each in made].index(2)
    kinds = {frozenset(each) for each in made}
    assert kinds >= {frozenset({"fusion"}), frozenset({"fusion", "mirror"})}


def test_what_does_not_pay_off_is_not_built_upon():
    def result(values):
        return 0.5 - 0.1 * (values["unfreeze"] == 0 and len(extras(values)))

    made = search({"backbone": "efficientnet-lite"}, result=result)
    assert max(len(extras(v)) for v in made if v["unfreeze"] == 0) == 1


def test_what_is_joined_leaves_the_time_to_fine_tune():
    def made_within(seconds):
        left = [seconds]

        def result(values):
            left[0] -= cost(values)
            return score(values)

        return search(
            {name: str(value) for name, value in LITE.items()},
            result=result,
            affordable=lambda values: cost(values) <= left[0],
            seconds_left=lambda values: left[0],
            limit=3,
        )

    frozen = cost({**LITE, "unfreeze": 0})
    made = made_within(102.5 * frozen)  # two heads, and a fine-tuning
    assert [values["unfreeze"] > 0 for values in made] == [False, False, True]
    assert not any(extras(values) for values in made if values["unfreeze"] == 0)
    assert extras(made_within(98 * frozen)[1])  # there is nothing to save it for


def test_few_images_are_fine_tuned_for_more_epochs():
    def by_epoch(values):
        return cost(values) * values.get("epochs", 1)

    def epochs_of_the_first_tuned(images):
        pins = {name: str(value) for name, value in LITE.items()}
        made = search(pins, images=images, cost=by_epoch)
        return next(values["epochs"] for values in made if values["unfreeze"] > 0)

    assert epochs_of_the_first_tuned(images=2_000) < epochs_of_the_first_tuned(images=200)


@pytest.mark.parametrize(
    "pins",
    [{"fusion": "efficientnet-lite 1"}, {"scales": "2"}, {"views": "3"}, {"mirror": "yes"}],
    ids=str,
)
@pytest.mark.parametrize("strategy", ["staged", "random", "bayesian", "grid"])
def test_a_pin_of_what_is_joined_holds_in_every_trial(pins, strategy):
    made = search(pins, strategy=strategy, limit=15)
    assert made
    for values in made:
        assert values["unfreeze"] == 0
        for dimension, value in pins.items():
            assert str(values[dimension]) == value


def test_a_grid_begins_with_the_networks_alone():
    pins = {"head": "logistic", "unfreeze": "0", "resolution": "224"}
    made = search({"backbone": "efficientnet-lite", **pins}, strategy="grid", limit=1000)
    assert extras(made[0]) == {}
    assert len(made) == 3 * 3 * 2 * 2 * 2


PINNED = {
    "frozen": {"backbone": "pixels", "resolution": "8", "head": "logistic"},
    "from scratch": {
        "backbone": "small-cnn",
        "depth": "2",
        "resolution": "32",
        "head": "linear",
        "augmentation": "none",
        "lr": "0.05x7,0.005x7,0.0005",
        "batch_size": "32",
    },
    "tuned": {
        "backbone": "efficientnet-lite",
        "depth": "0",
        "resolution": "224",
        "head": "linear-svm",
        "unfreeze": "0.5",
        "augmentation": "none",
        "lr": "0.05x7,0.005x7,0.0005",
        "batch_size": "32",
    },
}


@pytest.mark.parametrize("name", PINNED)
@pytest.mark.parametrize("strategy", ["staged", "random", "bayesian", "hyperband", "grid"])
def test_everything_pinned_is_one_trial(name, strategy):
    made = search(PINNED[name], strategy=strategy)
    assert len(made) == 1
    for dimension, value in PINNED[name].items():
        assert str(made[0][dimension]) in (value, f"{value}.0")


@pytest.mark.parametrize("pins", [{"head": "mlp"}, {"backbone": "small-cnn"}, {"unfreeze": "1"}])
def test_a_pin_holds_in_every_trial(pins):
    made = search(pins)
    assert len(made) == 40
    for values in made:
        for dimension, value in pins.items():
            assert str(values[dimension]) in (value, f"{value}.0")


def test_a_perfect_score_ends_it():
    made = search(result=lambda values: 1.0)
    assert len(made) < 12
    assert all(values["unfreeze"] == 0 or values["backbone"] == "small-cnn" for values in made)

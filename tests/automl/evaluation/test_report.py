"""The report: well formed, escaped, self-contained, small, and with everything in it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from automl.evaluation.metrics import Evaluation
from automl.evaluation.report import write_report
from automl.evaluation.report.html import VOID, Html, tag

HOSTILE = ['<script>alert("1")</script>', 'a & b\'s "q"', "--></svg></style>", "猫 😀 \udce9"]


class Page(HTMLParser):
    """Checks that elements nest, and collects what the page refers to and says."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.addresses, self.targets = [], [], [], []
        self.elements, self.words, self.headings = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        values = dict(attributes)
        self.elements.append((name, values))
        self.ids += [values["id"]] if "id" in values else []
        links = [values[key] for key in ("src", "href", "xlink:href") if values.get(key)]
        self.targets += [link[1:] for link in links if link.startswith("#")]
        self.addresses += [link for link in links if not link.startswith("#")]
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name):
        assert self.open, f"nothing is open where </{name}> is"
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.words.append(data)
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def count(self, name):
        return sum(element == name for element, _ in self.elements)


def trial(place=0, **changes):
    return {
        "trial": f"{place:04d}",
        "stage": "frozen",
        "status": "completed",
        "hyperparameters": {
            "backbone": "pixels", "depth": 0, "resolution": 16, "head": "logistic", "C": 0.125,
        },
        "score": 0.9 - 0.01 * place,
        "spread": 0.021,
        "seconds": 1.5,
        "finished_at": 2.0 + place,
        "cost_gmacs": 0.001,
        "parameters": 1000,
        "error": None,
        "history": None,
        **changes,
    }  # fmt: skip


def fine_tuned(place):
    history = {"loss": [1.0, 0.5], "val_loss": [1.1, 0.6], "accuracy": [0.5, 0.8]}
    return trial(place, stage="fine-tune", history=history)


def run_of(labels, **changes):
    return {
        "run": "run-1",
        "name": "dishes",
        "state": "completed",
        "seed": 7,
        "command": ["automl", "search", "my photos", "--budget", "3m"],
        "started": "2025-06-03T10:15:00Z",
        "seconds": 171.3,
        "budget_seconds": 180.0,
        "labels": labels,
        "counts": {"train": dict.fromkeys(labels, 4), "test": dict.fromkeys(labels, 2)},
        "unreadable": [],
        "doubts": None,
        "versions": {"automl": "0.1.0", "keras": "3.15"},
        "fingerprint": "abc123",
        "model": {"name": "dishes", "version": 3, "path": "models/dishes/3"},
        "winner": "0000",
        "notes": ["resnet left out: its weights are not on this machine."],
        "parity": {"images": 16, "serving_default": 1.5e-7},
        **changes,
    }


def evaluation_of(labels, images=24, paths=None, wrong=0.4):
    rng = np.random.default_rng(0)
    y_true = np.arange(images) % len(labels)
    rows = rng.dirichlet(np.ones(len(labels)), images)
    rows[np.arange(images), y_true] += rng.choice([0.0, 3.0], images, p=[wrong, 1 - wrong])
    rows /= rows.sum(axis=1, keepdims=True)
    return Evaluation.from_predictions(labels, y_true, rows, paths)


@pytest.fixture
def photos(tmp_path):
    """Noise of camera size: the hardest thing to compress."""
    rng = np.random.default_rng(0)
    files = []
    for place in range(6):
        file = tmp_path / "photos" / ("a" if place % 2 else "b") / f"<{place}> & 'x'.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(file)
        files.append(str(file))
    return files


def write(tmp_path, run, leaderboard, evaluation):
    path = write_report(tmp_path / "report.html", run, leaderboard, evaluation)
    return path.read_text(encoding="utf-8")


def test_images_that_the_search_doubted_are_shown(tmp_path, photos):
    labels = ["a", "b"]
    wrong, far = photos[0], photos[3]
    doubts = {
        "judged": 6,
        "labels": [{"path": wrong, "label": "b", "suggested": "a & b"}],
        "compared": 6,
        "outliers": [{"path": far, "label": "a", "deviations": 7.4}],
    }
    evaluation = evaluation_of(labels, images=6)
    text = write(tmp_path, run_of(labels, doubts=doubts), [trial(0)], evaluation)
    page = Page(text)
    for expected in (
        "1 image may be labelled wrongly, 1 image may not belong",
        "judged 6 that it was not fitted on. 6 were compared",
        "b → a & b",
        "7 deviations farther from its neighbours",
    ):
        assert expected in page.text
    assert text.count("data:image/jpeg") == 2
    many = {**doubts, "compared": 0, "labels": doubts["labels"] * 30, "outliers": []}
    page = Page(write(tmp_path, run_of(labels, doubts=many), [trial(0)], evaluation))
    assert "30 images may be labelled wrongly The first" in " ".join(page.text.split())
    assert "… and 6 more, all in run.json." in page.text
    assert "too many to be compared" in page.text


def test_everything_is_there_in_order(tmp_path, photos):
    labels = ["bowl", "cup", "plate"]
    evaluation = evaluation_of(labels, images=6, paths=photos)
    rows = [trial(0), fine_tuned(1), trial(2, status="failed", score=None, error="no weights.")]
    page = Page(write(tmp_path, run_of(labels), rows, evaluation))
    headings = ["Next", "Data", "Leaderboard", "Search over time", "Evaluation", "Mistakes"]
    assert page.headings == [*headings, "Learning curves", "How it was made"]
    for expected in (
        f"{100 * evaluation.balanced_accuracy:.1f} % class-averaged accuracy",
        f"95 % interval: {100 * evaluation.balanced_accuracy_interval().low:.1f} % to",
        "6 held-out images",
        "pixels with a logistic head",
        "16 × 16 px",
        "2 min 51 s of 3 min 00 s",
        "automl deploy dishes",
        "18 images in 3 classes",
        "resnet left out",
        "no weights.",
        "90.0 % ± 2.1",
        "chosen",
        "automl search 'my photos' --budget 3m",
        "abc123",
        "1.5e-07",
    ):
        assert expected in page.text, expected
    # Three of the search, four of the evaluation, one trial that was trained by epochs.
    assert page.count("svg") == 8


def test_it_is_self_contained(tmp_path, photos):
    labels = [f"class {place}" for place in range(40)]  # enough for a matrix of pixels
    text = write(
        tmp_path, run_of(labels), [trial(), fine_tuned(1)], evaluation_of(labels, 6, photos)
    )
    page = Page(text)
    assert page.addresses
    assert all(address.startswith("data:") for address in page.addresses)
    assert not re.search(r"(?:https?:)?//[\w-]+\.\w", text)
    assert not re.search(r"@import|url\((?!#)", text)


def test_policy_admits_this_script_and_no_other(tmp_path):
    text = write(tmp_path, run_of(["a", "b"]), [trial()], evaluation_of(["a", "b"]))
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy.replace("&#x27;", "'")
    assert f"'sha256-{digest}'" in policy.replace("&#x27;", "'")


def test_hostile_text_is_text(tmp_path):
    files = [f"/data/{label}/{place}.jpg" for place, label in enumerate(HOSTILE * 6)]
    evil = HOSTILE[0]
    run = run_of(
        HOSTILE,
        name=evil,
        run=evil,
        command=[evil],
        notes=[evil],
        unreadable=[{"path": evil, "reason": evil}],
        versions={evil: evil},
        parity={evil: evil},
        model={"name": evil, "version": 1, "path": evil},
    )
    settings = {"backbone": evil, "head": evil, "depth": evil, evil: evil}
    rows = [
        {**fine_tuned(0), "hyperparameters": settings, "error": evil},
        trial(1, hyperparameters=settings, status="failed", score=None, error=evil),
    ]
    text = write(tmp_path, run, rows, evaluation_of(HOSTILE, 24, files))
    page = Page(text)
    assert page.count("script") == page.count("style") == 1
    assert page.count("svg") == text.count("</svg>") == 8
    assert "<script>alert" not in text
    assert not any(key.startswith("on") for _, values in page.elements for key in values)
    assert evil in page.text
    assert "a & b's" in page.text


def test_ids_are_unique_and_lead_somewhere(tmp_path):
    labels = ["a", "b", "c"]
    text = write(tmp_path, run_of(labels), [trial(), fine_tuned(1)], evaluation_of(labels))
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)


def test_pictures_take_the_pages_colours(tmp_path):
    text = write(tmp_path, run_of(["a", "b"]), [trial()], evaluation_of(["a", "#0072b2"]))
    inside = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--blue)" in inside
    assert "fill: #0072b2" not in inside
    assert ">#0072b2</text>" in inside  # a label that reads like a colour is not one


def test_thumbnails_are_small_pictures_in_their_own_proportions(tmp_path, photos):
    text = write(tmp_path, run_of(["a", "b"]), [trial()], evaluation_of(["a", "b"], 6, photos))
    images = [values for name, values in Page(text).elements if name == "img"]
    assert len(images) == 6
    content = base64.b64decode(images[0]["src"].split(",", 1)[1])
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (160, 120))
    assert all("called" in values["alt"] for values in images)
    assert str(tmp_path) not in text  # no more of the path than tells the files apart


def test_pictures_that_are_gone_are_said_to_be(tmp_path):
    files = [str(tmp_path / f"{place}.jpg") for place in range(24)]
    text = write(tmp_path, run_of(["a", "b"]), [trial()], evaluation_of(["a", "b"], 24, files))
    assert Page(text).text.count("no picture") == 24


def test_mistakes_without_paths_are_numbered(tmp_path):
    evaluation = evaluation_of(["a", "b"])
    page = Page(write(tmp_path, run_of(["a", "b"]), [trial()], evaluation))
    assert f"image {evaluation.mistakes[0].index}" in page.text
    assert f"{len(evaluation.mistakes)} of {len(evaluation.mistakes)} mistakes" in page.text


def test_no_mistakes(tmp_path):
    evaluation = Evaluation.from_predictions(["a", "b"], [0, 1], [[0.9, 0.1], [0.1, 0.9]])
    page = Page(write(tmp_path, run_of(["a", "b"]), [trial()], evaluation))
    assert "No mistakes" in page.text
    assert "No class was taken for another." in page.text
    assert "2 images can say only so much" in page.text


def test_unreadable_files_are_listed_up_to_a_limit(tmp_path):
    files = [{"path": f"cup/{place}.jpg", "reason": "is empty."} for place in range(400)]
    run = run_of(["a", "b"], unreadable=files)
    page = Page(write(tmp_path, run, [trial()], evaluation_of(["a", "b"])))
    assert "400 files were set aside" in page.text
    assert "cup/299.jpg" in page.text
    assert "cup/300.jpg" not in page.text
    assert "and 100 more" in page.text


def test_a_search_without_fine_tuning_or_model(tmp_path):
    run = run_of(["a", "b"], model=None, winner=None, budget_seconds=None, command=[], parity={})
    page = Page(write(tmp_path, run, [trial()], evaluation_of(["a", "b"])))
    assert "No trial was trained by epochs" in page.text
    assert "automl deploy" not in page.text


def test_the_leaderboard_calls_trials_by_their_numbers(tmp_path):
    page = Page(write(tmp_path, run_of(["a", "b"]), [trial(6)], evaluation_of(["a", "b"])))
    assert "rank trial network px head" in page.text
    assert "1 7 pixels 16 logistic stage frozen C 0.125 84.0 % ± 2.1" in page.text


def test_an_empty_leaderboard(tmp_path):
    page = Page(write(tmp_path, run_of(["a", "b"]), [], evaluation_of(["a", "b"])))
    assert "No trial was scored." in page.text


def test_classes_without_test_images_are_named(tmp_path):
    evaluation = Evaluation.from_predictions(["a", "b", "ghost"], [0, 1], [[1, 0, 0], [0, 1, 0]])
    page = Page(write(tmp_path, run_of(["a", "b", "ghost"]), [trial()], evaluation))
    assert "Classes without a test image do not count in the average: ghost." in page.text


@pytest.mark.slow
def test_ten_thousand_images_stay_below_the_limit(tmp_path, photos):
    labels = [f"a class with a rather long name, number {place}" for place in range(60)]
    files = [photos[place % len(photos)] for place in range(10_000)]
    rows = [trial(place % 80) for place in range(900)] + [fine_tuned(place) for place in range(31)]
    write(tmp_path, run_of(labels), rows, evaluation_of(labels, 10_000, files))
    assert 1_000_000 < (tmp_path / "report.html").stat().st_size < 5_000_000


def test_the_room_for_pictures_is_kept(photos):
    from automl.evaluation.report.viewer import viewer_section

    evaluation = evaluation_of(["a", "b"], 6, photos)
    whole = viewer_section(evaluation, room=1_000_000)
    part = viewer_section(evaluation, room=len(whole) // 2)
    none = viewer_section(evaluation, room=-1)
    assert whole.count("<img") == 6
    assert 0 < part.count("<img") < 6
    assert none.count("<img") == 0


def test_elements_escape_what_is_not_html():
    assert tag("p", "<b>", Html("<i>x</i>"), None, [1, 2.5]) == "<p>&lt;b&gt;<i>x</i>12.5</p>"
    assert tag("br", class_='a"b', hidden=True, title=None) == '<br class="a&quot;b" hidden>'

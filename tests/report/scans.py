"""Small scans whose numbers are known, for the tests of reports."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from masktune.evaluation import Predictions
from masktune.findings.finding import Evidence, Finding
from masktune.findings.observed import Observed, Spot, Transplant
from masktune.findings.shown import Scanned, Shown

CLASSES = ("cat", "dog")


def map_at(row, column, side=7, spread=1.2):
    """A map with one peak of height 1."""
    down, across = np.mgrid[:side, :side]
    values = np.exp(-((down - row) ** 2 + (across - column) ** 2) / (2 * spread**2))
    return np.where(values < 0.05, 0, values).astype(np.float16)


def picture_of(seed, size=(56, 56), noise=40):
    """A JPEG with a smooth ground and a disc."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[: size[0], : size[1]] / max(size)
    ground = np.stack([120 + 80 * down, 140 + 60 * across, 150 - 50 * down], -1)
    middle, radius = rng.uniform(0.3, 0.7, 2), rng.uniform(0.1, 0.25)
    disc = (down - middle[0]) ** 2 + (across - middle[1]) ** 2 < radius**2
    ground[disc] = rng.uniform(40, 230, 3)
    pixels = np.clip(ground + rng.normal(0, noise / 4, ground.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


def observed_of(count=40, classes=CLASSES, ids=None, side=7, **more):
    """Every fifth image is called the next class; hiding the salient area turns every second one.

    Class 0 looks at the upper left corner (row 1, column 1), the others at row 4, column 4.
    """
    k = len(classes)
    labels = np.arange(count, dtype=np.int64) % k
    said = np.where(np.arange(count) % 5 == 0, (labels + 1) % k, labels)
    turned = np.where(np.arange(count) % 2 == 0, (said + 1) % k, said)
    ids = [f"{classes[label]}/{at:04}.jpg" for at, label in enumerate(labels)] if ids is None else ids
    low = np.stack([map_at(*((1, 1) if one == 0 else (4, 4)), side) for one in said])
    fields = {
        "predictions": Predictions(_logits(said, k), labels, np.array(ids), classes),
        "data_classes": tuple(classes),
        "same_classes": True,
        "hidden_logits": {
            "salient": _logits(turned, k),
            "random": _logits(said, k),
            "least_salient": _logits(said, k),
        },
        "low": low,
        "empty": np.zeros(count, dtype=bool),
        "hidden": np.full(count, 0.1),
        "where": np.zeros((count, 16, 16), dtype=np.uint8),
        "tiny": np.zeros((count, 32, 32, 3), dtype=np.uint8),
        "seen": np.ones(count),
        "properties": {},
        "facts": {},
        "columns": {},
        "transplants": (transplant_of(count),),
        "about": {"maps": "xgradcam at features.3", "salient area": "MeanPlusStd(k=2.0)", "torch": "2.9.0"},
    }
    return Observed(**{**fields, **more})


def transplant_of(count):
    """Gains 0.4 on average, turns half of the images."""
    half = count // 2
    ids = np.array([f"{at}" for at in range(half)])
    turned = np.arange(half) % 2 == 0
    return Transplant(
        spot=Spot(0, (0.05, 0.05, 0.3, 0.3), "top left corner"),
        gain=np.where(turned, 0.5, 0.3),
        loss=np.where(turned, 0.3, 0.1),
        flipped_in=turned,
        flipped_out=turned,
        ids_in=ids,
        ids_out=ids,
        recurs=0.8,
        recurs_elsewhere=0.02,
    )


def shown_of(observed, size=(56, 56), named=()):
    """Every image with a picture, its findings by place: the first two are named by `named`."""
    said, classes = observed.predictions.predicted, observed.predictions.classes
    after = observed.hidden_logits["salient"].argmax(1)
    return tuple(
        Shown(
            id=str(observed.ids[at]),
            label=observed.data_classes[observed.labels[at]],
            predicted=classes[said[at]],
            after=classes[after[at]],
            confidence=0.5 + 0.5 * at / len(observed),
            split=None,
            low=observed.low[at],
            jpeg=picture_of(at, size),
            findings=tuple(named) if at < 2 else (),
        )
        for at in range(len(observed))
    )


def findings_of(observed):
    """One of each verdict."""
    name = observed.data_classes[0]
    spot = Finding(
        code="MT002",
        title="Is a class told by what lies at one place?",
        verdict="problem",
        reason=f"the top left corner alone decides on {name!r}: pasted into others it turns 50 %",
        evidence=(
            Evidence("probability that it gains when pasted", 0.4, 20, 0.353, 0.447),
            Evidence("share of other classes' images that turn", 0.5, 20, 0.299, 0.701, 0.0004),
            Evidence("how alike its images are there, 0 to 1", None, 20),
        ),
        advice="Crop it away if nothing else lies there, or tune with MaskTune, which needs no labels.",
        about={"class": name, "place": "top left corner"},
        samples=tuple(observed.ids[:2].tolist()),
    )
    place = Finding(
        code="MT001",
        title="Does it look at the same place of every image of a class?",
        verdict="hint",
        reason=f"in images called {name!r} it looks at one place, the top left corner, whatever the image",
        evidence=(Evidence("share of a mask that other images hide too", 0.83, 20, 0.79, 0.86),),
        advice="Look at its images in the gallery with the mask on.",
        about={"class": name, "place": "top left corner"},
        samples=tuple(observed.ids[2:4].tolist()),
    )
    faithful = Finding(
        code="MT004",
        title="Does the map show what the classifier uses?",
        verdict="passed",
        reason="the probability of the class falls by 41 points when that area is hidden, by 3 elsewhere",
        evidence=(Evidence("fall, salient minus random", 0.38, 40, 0.31, 0.45),),
    )
    column = Finding(
        code="MT010",
        title="Does a column of the manifest go with the label?",
        verdict="not_applicable",
        reason="the manifest has no further columns",
    )
    return (spot, place, faithful, column)


def scan_of(observed=None, size=(56, 56), name="pets", **more):
    """A scan with a finding of each verdict; MT002 names the first two images."""
    observed = observed_of() if observed is None else observed
    fields = {
        "name": name,
        "findings": findings_of(observed),
        "observed": observed,
        "shown": shown_of(observed, size, named=("MT002",)),
        "settings": {"saliency": "auto", "layer": None, "threshold": "MeanPlusStd(k=2.0)", "seed": 0},
        "muted": ("MT007",),
    }
    return Scanned(**{**fields, **more})


def with_columns(observed, columns, facts=None):
    """The same with manifest columns and file facts, one value for all images each."""

    def filled(words):
        return {name: np.array([value] * len(observed), dtype=object) for name, value in words.items()}

    return replace(observed, columns=filled(columns), facts=filled(facts or {}))


def secret_scan():
    """Names, paths, values and subjects that are told nowhere else."""
    ids = [f"ward-7/Mueller_{at:02}/scan{at:03}.jpg" for at in range(20)]
    observed = observed_of(20, ids=ids)
    predictions = replace(
        observed.predictions,
        subjects=np.array([f"PAT-{at // 2:03}" for at in range(20)]),
        groups=np.array(["ward seven"] * 20),
    )
    observed = with_columns(
        replace(
            observed,
            predictions=predictions,
            notes=("read /home/mueller/pets",),
            about={"weights": "/home/mueller/w.pt", "maps": "xgradcam"},
        ),
        {"site": "Charité", "side": "left", "age": "61"},
        {"EXIF Model": "Canon 5D"},
    )
    findings = (
        Finding(
            code="MT009",
            title="Do file facts go with the label?",
            verdict="problem",
            reason="'Canon 5D' goes with cat",
            evidence=(Evidence("accuracy from Canon 5D", 0.9, 20),),
            about={"column": "EXIF Model", "value": "Canon 5D", "class": "cat"},
            samples=(ids[0],),
        ),
        Finding(
            code="MT013",
            title="Are there near-duplicates?",
            verdict="hint",
            reason=f"{ids[1]!r} is {ids[2]}; scan003.jpg of Mueller_03 is PAT-001 at Charité, top left",
            evidence=(Evidence(f"distance to {ids[4]}", 0.1, 2),),
            advice="Ask PAT-002, aged 61.",
            about={"file": ids[5], "place": "top left corner"},
            samples=(ids[1], ids[2]),
        ),
    )
    return scan_of(observed, name="/home/mueller/pets", findings=findings)


SECRETS = ["ueller", "ward-", "ward seven", "PAT-", "Charit", "Canon", "scan0", "/home"]


def _logits(said, k):
    logits = np.zeros((len(said), k), dtype=np.float32)
    logits[np.arange(len(said)), said] = 3.0
    return logits

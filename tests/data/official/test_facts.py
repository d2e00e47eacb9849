"""The published counts, as reference sheets have them, and the cards that show them."""

from pathlib import Path

import pytest

from masktune.data.official.facts import counted
from masktune.data.official.registry import OFFICIAL

CARDS = Path(__file__).parents[3] / "docs" / "datasets"

PUBLISHED = {
    ("waterbirds", "official"): {
        "train": (3498, 184, 56, 1057),
        "validation": (467, 466, 133, 133),
        "test": (2255, 2255, 642, 642),
    },
    ("celeba", "official"): {
        "train": (71629, 66874, 22880, 1387),
        "validation": (8535, 8276, 2874, 182),
        "test": (9767, 7535, 2480, 180),
    },
    ("cifar10", "official"): {"train": (5000,) * 10, "test": (1000,) * 10},
    ("cats-vs-dogs", "official"): {None: (12500, 12500)},
    ("imagenet9", "backgrounds-challenge"): dict.fromkeys(
        ("original", "mixed_same", "mixed_rand", "mixed_next", "only_fg", "no_fg", "only_bg_b", "only_bg_t"),
        (450,) * 9,
    ),
}
TOTALS = {
    ("waterbirds", "official"): {"train": 4795, "validation": 1199, "test": 5794},
    ("waterbirds", "corrected"): {"train": 4795, "validation": 1199, "test": 5794},
    ("celeba", "official"): {"train": 162770, "validation": 19867, "test": 19962},
    ("imagenet9", "in9l"): {"train": 183006, "validation": 7200},
    ("imagenet9", "backgrounds-challenge"): {"original": 4050, "mixed_rand": 4050},
    ("svhn", "official"): {"train": 73257, "test": 26032},
    ("cifar10", "official"): {"train": 50000, "test": 10000},
    ("cats-vs-dogs", "microsoft"): {None: 25000},
}


def published(name, variant):
    """By split: the counts in order."""
    found = {}
    for count in OFFICIAL[name].facts.published[variant]:
        found.setdefault(count.split, []).append(count)
    return found


@pytest.mark.parametrize(("name", "variant"), PUBLISHED)
def test_published_counts(name, variant):
    found = {split: tuple(count.n for count in counts) for split, counts in published(name, variant).items()}
    assert found == PUBLISHED[name, variant]


@pytest.mark.parametrize(("name", "variant"), TOTALS)
def test_counts_add_up_to_the_published_totals(name, variant):
    found = {split: sum(count.n for count in counts) for split, counts in published(name, variant).items()}
    assert {split: found[split] for split in TOTALS[name, variant]} == TOTALS[name, variant]


def test_the_largest_and_the_smallest_digit():
    train = {count.label: count.n for count in published("svhn", "official")["train"]}
    assert max(train, key=train.get) == "1"
    assert min(train, key=train.get) == "9"
    assert round(100 * train["1"] / sum(train.values())) == 19


def test_what_the_correction_moves():
    """180 birds of three species become landbirds, and no bird moves to another place or split."""
    for split in ("train", "validation", "test"):
        before, after = (
            [count.n for count in published("waterbirds", v)[split]] for v in ("official", "corrected")
        )
        assert before[0] + before[2] == after[0] + after[2]
        assert before[1] + before[3] == after[1] + after[3]
    moved = sum(
        after.n - before.n
        for split in ("train", "validation", "test")
        for before, after in zip(
            published("waterbirds", "official")[split][:2],
            published("waterbirds", "corrected")[split][:2],
            strict=True,
        )
    )
    assert moved == 180


def test_groups_of_a_class_stand_in_a_row():
    counts = counted("train", ("a", "b"), (1, 2, 3, 4), ("a x", "a y", "b x", "b y"))
    assert [(count.label, count.group, count.n) for count in counts] == [
        ("a", "a x", 1),
        ("a", "a y", 2),
        ("b", "b x", 3),
        ("b", "b y", 4),
    ]


@pytest.mark.parametrize("name", OFFICIAL)
def test_facts_are_full_sentences_about_one_data_set(name):
    facts = OFFICIAL[name].facts
    assert facts.name == name
    assert all(
        (facts.title, facts.task, facts.source, facts.licence, facts.noise, facts.namesakes, facts.layouts)
    )
    assert "official" in facts.published
    assert set(facts.published) <= set(facts.variants)


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_card_has_the_counts_and_the_facts(name):
    facts = OFFICIAL[name].facts
    card = " ".join((CARDS / f"{name}.md").read_text(encoding="utf-8").split())
    for variant in facts.published:
        for split, counts in published(name, variant).items():
            cells = [f"{count.n:,}" for count in counts]
            row = " | ".join([split or "all", *cells, f"{sum(count.n for count in counts):,}"])
            assert f"| {row} |" in card, f"{variant}: {row}"
    for sentence in (facts.source, facts.licence, *facts.noise, *facts.namesakes, *facts.layouts):
        assert sentence in card
    for variant, meaning in facts.variants.items():
        assert f"| `{variant}` | {meaning} |" in card


def test_the_index_names_every_card():
    index = (CARDS / "README.md").read_text(encoding="utf-8")
    for name, known in OFFICIAL.items():
        assert f"[{known.facts.title}]({name}.md)" in index

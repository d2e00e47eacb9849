"""What others published: no number that the reference sheet has not, and no comparison that is none."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.benches import line, standings_of

from masktune.bench import METHODS
from masktune.bench.published import CITED, DATA_CITED, PUBLISHED, TRUST, published_beside
from masktune.report.bench.write import references

FIELD = Path(__file__).parents[3] / "shared" / "reference" / "field.md"
NOBODYS = {"continue_erm", "random_mask", "least_salient_mask"}
"""Controls."""


def entries():
    """The bibliography by hand: key to (kind, fields)."""
    found = {}
    for kind, key, body in re.findall(
        r"^@(\w+)\{([^,]+),\n(.*?)\n\}$", references(), re.DOTALL | re.MULTILINE
    ):
        fields = dict(re.findall(r"^\s+(\w+)\s*=\s*\{(.*)\},?$", body, re.MULTILINE))
        assert key not in found
        found[key] = (kind, fields)
    return found


def test_every_key_has_an_entry_and_every_entry_is_used():
    used = {*CITED.values(), *DATA_CITED.values(), *(one.key for one in PUBLISHED)}
    assert set(entries()) == used


def test_every_method_says_where_it_comes_from_but_the_controls():
    assert set(METHODS) - set(CITED) == NOBODYS


def test_entries_say_who_what_where_and_when():
    where = {"inproceedings": "booktitle", "misc": "howpublished"}
    for key, (kind, fields) in entries().items():
        assert {"author", "title", "year", where[kind]} <= set(fields), key
        assert key.startswith(fields["author"].split(",")[0].split()[0].lower()), key
        assert fields["year"] in key
        assert all(text.count("{") == text.count("}") for text in fields.values())
    assert references().count("{") == references().count("}")


def test_authors_are_those_of_the_methods_cards():
    cards = Path(__file__).parents[2] / "docs" / "methods"
    for method in set(CITED) - {"erm", "masktune"}:
        card = " ".join((cards / f"{method}.md").read_text().split())
        fields = entries()[CITED[method]][1]
        assert fields["author"].split(",")[0] in card, method
        plain = re.sub(r"[^a-z ]", " ", fields["title"].lower().replace("{", "").replace("}", ""))
        words = plain.split()[:4]
        assert " ".join(words) in " ".join(re.sub(r"[^a-z ]", " ", card.lower()).split()), method


@pytest.mark.skipif(not FIELD.exists(), reason=f"there is no {FIELD}")
def test_every_number_stands_in_the_reference_sheet():
    """In a row of the tables of sections 2.1 and 2.2 that names its source, as `worst +-sd / average`."""
    text = FIELD.read_text()
    first, second = text.index("### 2.1"), text.index("### 2.2")
    rows = {
        "official": [row for row in text[first:second].splitlines() if row.startswith("|")],
        "SubpopBench": text[second : text.index("### 2.3")].splitlines(),
    }
    surname = {
        "asgari2022masktune": "MaskTune T2",
        "qiu2023afr": "AFR README",
        "pezeshki2024xrm": "XRM README",
    }
    for one in PUBLISHED:
        name = surname.get(one.key, one.source.split(" ")[0])
        in_it = rows["SubpopBench"] if "yang" in one.key else [row for row in rows["official"] if name in row]
        said = f"{100 * one.worst:g}" if one.key == "pezeshki2024xrm" else f"{100 * one.worst:.1f}"
        said += "" if one.worst_sd is None else f" +-{100 * one.worst_sd:.1f}"
        having = [row for row in in_it if said in row]
        assert having, one
        assert any(f"{one.trust}" in row.partition("[")[2] for row in having), one
        if one.average is not None:
            assert any(f"{100 * one.average:.1f}" in row for row in in_it), one


def test_rates_are_fractions_and_marks_are_explained():
    for one in PUBLISHED:
        assert 0.5 < one.worst < 1 or one.dataset == "celeba"
        assert one.average is None or one.worst < one.average < 1
        assert one.trust in TRUST
    assert len({(one.method, one.dataset, one.variant, one.key) for one in PUBLISHED}) == len(PUBLISHED)


def beside(method, **table):
    return published_beside(standings_of(**table), line(method))


def test_in_the_same_setting_nothing_differs():
    found = beside("jtt")
    assert (found.same, found.differs) == (True, ())
    assert (found.result.worst, found.result.average) == (0.867, 0.933)
    assert (found.result.average_of, found.result.key, found.result.trust) == (
        "accuracy_train_weighted",
        "liu2021jtt",
        "S",
    )


@pytest.mark.parametrize(
    ("table", "changed", "words"),
    [
        ({"net": "timm:tf_efficientnet_lite0"}, {}, ("ResNet-50",)),
        ({"variant": "corrected"}, {}, ("official images",)),
        ({}, {"config": "budget=equal"}, ("without our budget=equal",)),
        ({}, {"fitted_with": "train_groups"}, ("fitted without group labels",)),
        (
            {"net": "timm:tf_efficientnet_lite0", "variant": "stand-in"},
            {"selected_with": "none"},
            ("ResNet-50", "official images", "selected by the worst group"),
        ),
    ],
)
def test_what_differs_is_said_in_words(table, changed, words):
    # RWY, of which one result is known.
    found = published_beside(standings_of(**table), line("rwy", **changed))
    assert found.differs == words
    assert not found.same


def test_of_two_results_the_one_nearer_to_our_setting_is_taken():
    table = standings_of()
    blind, told = line("erm"), line("erm", selected_with="validation_groups")
    assert published_beside(table, blind).result.key == "yang2023subpopbench"
    assert published_beside(table, told).result.key == "liu2021jtt"
    assert published_beside(table, blind).same
    assert published_beside(table, told).same
    assert beside("erm", variant="corrected").result.key == "asgari2022masktune"


def test_masktunes_own_number_is_on_images_of_its_own():
    assert beside("masktune", variant="corrected").same
    assert beside("masktune").differs == ("corrected images",)
    assert beside("masktune", dataset="celeba").same


def test_a_last_layer_is_no_resnet():
    assert beside("xrm").differs == ("a last layer on frozen features",)


def test_how_an_unknown_selection_was_done_is_never_the_same():
    found = beside("group_dro", variant="corrected")
    assert found.result.key == "asgari2022masktune"  # Sagawa's is as near, but on other images.
    assert found.differs == ("how it was selected is not known",)
    assert beside("group_dro").result.key == "sagawa2020groupdro"


def test_where_nothing_is_known_nothing_stands_beside():
    assert beside("random_mask") is None
    assert beside("jtt", dataset="biased-mnist") is None
    # Somebody's own folder of that name is not the data set.
    assert beside("jtt", variant=None) is None
    assert published_beside(standings_of(), replace(line("erm"), method="theirs")) is None

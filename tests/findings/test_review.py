import csv

import numpy as np
import pytest

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.findings.finding import Finding
from masktune.findings.observed import Spot, Transplant
from masktune.findings.review import Asked, Review, allocate, draw_review, patterns_of
from masktune.findings.review_answers import read_review
from masktune.findings.review_file import COLUMNS, in_cell, out_of_cell, write_review
from masktune.findings.review_levels import LEVELS, has_value, levels_of

from .observations import observed

SHA = "9f86d081884c7d659a2feaa0c55ad015"


def finding(verdict="problem", code="MT002", **about):
    return Finding(code=code, title="?", verdict=verdict, reason="made", about=about)


CORNER = finding(**{"class": "cat", "place": "top right corner"})
MARK = "a mark in the top right corner"


def transplant(label, box, place="top right corner"):
    nothing, no, ids = np.zeros(0), np.zeros(0, bool), np.zeros(0, dtype=str)
    return Transplant(Spot(label, box, place), nothing, nothing, no, no, ids, ids, 0.5, 0.1)


def looked_at(n, *touched):
    """Masks that hide the top right corner of some images and the bottom left one of the others."""
    where = np.zeros((n, 16, 16), np.uint8)
    where[:, -2:, :2] = 255
    where[list(touched)] = 0
    where[list(touched), :2, -2:] = 255
    return where


def cats_and_dogs(n=400, **more):
    """Half cats, then half dogs; all right with much margin but the last ten, which are called cats."""
    labels = np.repeat([0, 1], n // 2)
    logits = np.eye(2)[labels] * (5 + np.arange(n) % 7)[:, None]
    logits[-10:] = [3, 0]
    touched = [*range(n // 2 - 20), *range(n // 2, n // 2 + 15)]
    given = {"classes": ("cat", "dog"), "where": looked_at(n, *touched)}
    return observed(labels, logits, **(given | more))


def names(made):
    return [LEVELS[level] for level in made]


def test_patterns_are_words_problems_first_each_once_and_at_most_three():
    made = patterns_of(
        [
            finding("hint", column="site", value="North"),
            finding("passed", place="centre"),
            finding("problem", **{"class": "cat", "place": "top edge"}),
            finding("problem", code="MT001", **{"class": "dog", "place": "top edge"}),
            finding("hint", **{"class": "dog"}),
            finding("hint", column="view"),
            finding("problem"),
        ]
    )
    assert [one.name for one in made] == [
        "a mark at the top edge",
        "a sign of site North",
        "a shortcut to dog",
    ]
    assert made[0].question == "is it there? yes / no"
    assert dict(made[0].about) == {"class": "cat", "place": "top edge"}
    assert patterns_of([finding(place="centre")])[0].name == "a mark in the centre"


def test_nobody_is_asked_what_cannot_be_answered_or_was_asked_already():
    made = patterns_of(
        [
            finding("problem", code="MT008", column="sharpness", value="0.05637 to 0.1643"),
            finding("problem", code="MT007", place="picture of 4 x 4 cells"),
            finding("problem", code="MT006", place="top left corner"),
            finding("problem", code="MT005", place="border"),
            finding("problem", code="MT005", place="bottom edge"),
        ]
    )
    assert [one.name for one in made] == ["a mark in the top left corner", "a mark at the bottom edge"]


def test_without_a_suspicion_any_shortcut_is_asked_for():
    (one,) = patterns_of([finding("passed", place="centre"), finding("problem")])
    assert one.name == "a shortcut"
    assert one.question == "is there anything but the thing itself that gives the class away? yes / no"


def test_levels_by_hand():
    # Cats 0 to 3 with the mark, 4 without; dogs 5 to 8 without, 9 with; 8 is called a cat.
    labels = [0] * 5 + [1] * 5
    logits = np.eye(2)[labels] * 4.0
    logits[3], logits[8] = [1, 0], [2, 0]
    hidden = logits.copy()
    hidden[6] = [4, 0]
    made = observed(
        labels, logits, classes=("cat", "dog"), salient=hidden, where=looked_at(10, 0, 1, 2, 3, 9)
    )
    expected = ["typical"] * 3 + ["unsure", "against", "typical", "unsure", "typical", "wrong", "against"]
    assert names(levels_of(made, CORNER.about)) == expected


def test_the_spot_of_a_transplant_is_taken_before_the_words():
    made = observed(
        [0, 0, 1, 1],
        classes=("cat", "dog"),
        where=looked_at(4, 0),
        transplants=(transplant(0, (0.0, 0.5, 1.0, 1.0)),),
    )
    assert names(levels_of(made, CORNER.about)) == ["typical", "against", "typical", "typical"]
    elsewhere = observed(
        [0, 0, 1, 1],
        classes=("cat", "dog"),
        where=looked_at(4, 0),
        transplants=(transplant(0, (0.5, 0.0, 1.0, 0.5)),),
    )
    assert names(levels_of(elsewhere, CORNER.about)) == ["against", "typical", "against", "against"]


def test_a_column_goes_against_its_class():
    site = np.array(["N", "N", "S", "S", "S", "N"], dtype=object)
    made = observed([0, 0, 0, 1, 1, 1], classes=("cat", "dog"), columns={"site": site})
    rare = ["typical", "typical", "against", "typical", "typical", "against"]
    assert names(levels_of(made, {"column": "site"})) == rare
    assert names(levels_of(made, {"column": "site", "value": "N", "class": "cat"})) == rare
    assert names(levels_of(made, {"column": "site", "value": "S"})) == ["typical"] * 2 + ["against"] * 3 + [
        "typical"
    ]


def test_nothing_is_called_wrong_where_the_classes_are_not_the_nets():
    made = cats_and_dogs(same_classes=False)
    assert "wrong" not in names(levels_of(made, CORNER.about))


def test_every_image_has_a_chance_and_the_weights_make_all_images():
    made = cats_and_dogs()
    review = draw_review(made, [CORNER], count=100, seed=3)
    assert len(review.asked) == 100 == len(review.ids)
    sizes = {one.stratum: one.stratum_size for one in review.asked}
    assert sum(sizes.values()) == 400
    assert sizes["dog: wrong"] == 10
    assert sizes["cat: against"] == 20
    assert sizes["dog: against"] == 15
    for name, size in sizes.items():
        drawn = [one for one in review.asked if one.stratum == name]
        assert min(2, size) <= len(drawn) <= size
        assert {one.probability for one in drawn} == {len(drawn) / size}
    assert sum(1 / one.probability for one in review.asked) == pytest.approx(400)
    chance = {one.stratum: one.probability for one in review.asked}
    assert min(chance["dog: wrong"], chance["dog: against"]) > 3 * chance["dog: typical"]


def test_each_image_of_a_stratum_is_drawn_equally_often():
    made = cats_and_dogs(60)
    often = np.zeros(60)
    for seed in range(600):
        for one in draw_review(made, [CORNER], count=30, seed=seed).asked:
            often[int(one.id[:5])] += one.probability**-1 / 600
    # Each image's mean weight is 1; 600 draws at a chance of at least 0.2 leave a deviation of 0.08.
    assert often.min() > 0.65
    assert often.max() < 1.35


def test_the_draw_follows_from_seed_and_ids_not_from_the_order():
    n = 200
    labels, random = np.repeat([0, 1], n // 2), np.random.default_rng(0)
    logits, where = random.normal(size=(n, 2)), looked_at(n, *range(0, n, 3))
    ids, turn = np.array([f"{i}.png" for i in range(n)]), random.permutation(n)
    first = observed(labels, logits, ids=ids, where=where, classes=("cat", "dog"))
    second = observed(labels[turn], logits[turn], ids=ids[turn], where=where[turn], classes=("cat", "dog"))
    assert draw_review(first, [CORNER], count=40) == draw_review(second, [CORNER], count=40)
    assert draw_review(first, [CORNER], count=40) != draw_review(first, [CORNER], count=40, seed=1)


def test_fewer_images_than_asked_for_are_all_drawn():
    review = draw_review(cats_and_dogs(60), [CORNER], count=100)
    assert len(review.ids) == 60
    assert {one.probability for one in review.asked} == {1.0}


def test_the_first_rows_have_one_image_of_each_stratum():
    review = draw_review(cats_and_dogs(), [CORNER], count=100)
    kinds = {one.stratum for one in review.asked}
    assert {one.stratum for one in review.asked[: len(kinds)]} == kinds


def test_patterns_share_the_images_and_each_has_strata_of_its_own():
    site = finding("hint", column="site", value="N")
    made = cats_and_dogs(columns={"site": np.array(["N", "S"] * 200, dtype=object)})
    review = draw_review(made, [site, CORNER], count=100)
    by_name = {
        name: [one for one in review.asked if one.pattern == name] for name in (MARK, "a sign of site N")
    }
    assert [len(rows) for rows in by_name.values()] == [50, 50]
    assert review.asked[0].pattern == MARK
    for rows in by_name.values():
        assert sum(1 / one.probability for one in rows) == pytest.approx(400)


def test_many_classes_share_their_strata_but_for_the_suspected_one():
    labels = np.arange(1000) % 50
    made = observed(labels, classes=("cat", *(f"class {i}" for i in range(1, 50))))
    review = draw_review(made, [CORNER], count=100)
    assert {one.stratum.rpartition(": ")[0] for one in review.asked} == {"cat", "other classes"}
    assert len(review.asked) == 100


def test_allocation_by_hand():
    # The roots are 10, 20 and 3; of 39 the last stratum gives all it has, the others 10 and 20.
    assert allocate(np.array([100, 400, 9]), [1.0, 1.0, 1.0], 33).tolist() == [10, 20, 3]
    assert allocate(np.array([100, 400, 9]), [1.0, 1.0, 100.0], 39).tolist() == [10, 20, 9]
    assert allocate(np.array([100, 1, 9]), [1.0, 1.0, 1.0], 1).tolist() == [2, 1, 2]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="expected images and a count of at least 1, got 400 and 0"):
        draw_review(cats_and_dogs(), [], count=0)
    twice = observed([0, 1], ids=["a", "a"], splits=["train", "test"])
    with pytest.raises(InputError, match="got one twice; review one split at a time"):
        draw_review(twice, [])


# --- the file


def filled(path, answers, *, column="answer"):
    """Write answers, by row or one for all, into a review as a person would."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        row[column] = answers.get(place, row[column]) if isinstance(answers, dict) else answers
    return rows


def save(path, rows, *, encoding="utf-8-sig", delimiter=","):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def sheet(tmp_path):
    """Four images, two a stratum of ten; the data set has twenty."""
    path = tmp_path / "review.csv"
    asked = [
        Asked(f"{i}.png", "cat", "cat", MARK, "?", f"cat: {level}", 10, 0.2)
        for i, level in enumerate(["typical", "typical", "wrong", "wrong"])
    ]
    write_review(path, Review(tuple(asked)), data=SHA)
    return path


IDS = np.array([f"{i}.png" for i in range(20)])
LABELS = np.zeros(20, np.int64)


def read(path, **more):
    return read_review(path, IDS, LABELS, ("cat", "dog"), **({"data": SHA} | more))


def answer(path, *answers):
    save(path, filled(path, dict(enumerate(answers))))


def test_the_file_as_text(sheet):
    lines = sheet.read_bytes().decode("utf-8").split("\r\n")
    assert (
        lines[0] == "\ufeffid,label,predicted,pattern,question,answer,stratum,stratum_size,probability,data"
    )
    assert lines[1] == f"0.png,cat,cat,{MARK},?,,cat: typical,10,0.2,9f86d081884c"
    assert len(lines) == 6


def test_answers_become_groups_with_weights(sheet):
    answer(sheet, "yes", "no", "no", "yes")
    groups = read(sheet)
    assert groups.sample.ids.tolist() == ["0.png", "1.png", "2.png", "3.png"]
    assert groups.sample.groups.tolist() == [
        f"cat, {MARK}",
        f"cat, no {MARK}",
        f"cat, no {MARK}",
        f"cat, {MARK}",
    ]
    assert groups.sample.weights.tolist() == [5, 5, 5, 5]
    assert (groups.pattern, groups.asked, groups.notes) == (MARK, 4, ())


@pytest.mark.parametrize("word", ["yes", "Y", "1", " JA ", "present", "TRUE", "1.0", "1,0"])
def test_many_words_mean_yes(sheet, word):
    answer(sheet, word, "no", word, "NEIN")
    assert read(sheet).sample.groups.tolist()[::2] == [f"cat, {MARK}"] * 2


@pytest.mark.parametrize("word", ["no", "N", "0", "nein", "Absent", "false", "0.0"])
def test_many_words_mean_no(sheet, word):
    answer(sheet, "y", word, "y", word)
    assert read(sheet).sample.groups.tolist()[1::2] == [f"cat, no {MARK}"] * 2


def test_without_an_answer_the_others_of_the_stratum_stand_for_it(sheet):
    answer(sheet, "yes", "no", "yes", "")
    groups = read(sheet)
    assert groups.sample.weights.tolist() == [5, 5, 10]
    assert groups.asked == 4
    (note,) = groups.notes
    assert note.startswith(
        "1 of the 4 images have no answer; the answered ones of their stratum stand for them"
    )


def test_a_stratum_without_answers_joins_its_neighbour_but_wrong_ones_stay_alone(tmp_path):
    path = tmp_path / "review.csv"
    levels = ["typical", "unsure", "against", "wrong"]
    asked = [
        Asked(f"{i}.png", "cat", "cat", MARK, "?", f"cat: {level}", 5, 0.2) for i, level in enumerate(levels)
    ]
    write_review(path, Review(tuple(asked)), data=SHA)
    answer(path, "yes", "", "no", "no")
    groups = read(path)
    assert groups.sample.sizes == {"cat: typical": 10, "cat: against": 5, "cat: wrong": 5}
    assert (
        "No image of 'cat: unsure' has an answer; those of 'cat: typical' stand for its 5 too."
        in groups.notes
    )
    answer(path, "yes", "", "no", "")
    with pytest.raises(
        InputError, match=r"at least one of the 5 images of 'cat: wrong' .* answer one of '3.png'"
    ):
        read(path)


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ";"), ("utf-8-sig", "\t"), ("utf-16", ";"), ("utf-8", ",")]
)
def test_a_spreadsheet_may_save_it_its_own_way(sheet, encoding, delimiter):
    rows = filled(sheet, "yes")
    for row in rows:
        row["probability"], row["stratum_size"] = "0,2", "10.0"
    save(sheet, rows[::-1], encoding=encoding, delimiter=delimiter)
    assert read(sheet).sample.weights.tolist() == [5, 5, 5, 5]


HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+1.png",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'quoted'",
    "'",
    "it's",
    "00017",
    "1/2",
    "1e5",
    "3-4-2020",
    "MAR1",
    "2 March",
    "true",
    " a ",
    "a,b;c",
    'say "x"',
    "two\nlines",
    "ünï/日本.png",
    "<script>",
    "\u202ertl",
    "x" * 300,
]


def test_hostile_values_are_not_run_and_come_back_exactly(tmp_path):
    path = tmp_path / "review.csv"
    asked = [Asked(name, name, name, "=a mark", name, f"{name}: typical", 1, 1.0) for name in HOSTILE]
    write_review(path, Review(tuple(asked)), data=SHA)
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    save(path, filled(path, "yes"))
    labels = np.arange(len(HOSTILE))
    groups = read_review(path, np.array(HOSTILE), labels, HOSTILE, data=SHA)
    assert groups.sample.ids.tolist() == HOSTILE
    assert groups.sample.groups.tolist() == [f"{name}, =a mark" for name in HOSTILE]
    assert list(groups.sample.sizes) == [f"{name}: typical" for name in HOSTILE]


def test_what_stands_in_a_cell():
    assert in_cell("=1+1") == "'=1+1'"
    assert in_cell("00017") == "'00017'"
    assert in_cell("cat/00017.png") == "cat/00017.png"
    assert in_cell("octopus") == "octopus"
    assert in_cell("") == ""
    for value in HOSTILE:
        assert out_of_cell(in_cell(value)) == value


def test_a_file_name_that_is_no_utf_8_comes_back(tmp_path):
    path, name = tmp_path / "review.csv", "house\udce9.png"
    write_review(path, Review((Asked(name, "cat", "cat", MARK, "?", "cat: typical", 1, 1.0),)), data=SHA)
    save(path, filled(path, "yes"))
    assert read_review(path, np.array([name]), LABELS[:1], ("cat",), data=SHA).sample.ids.tolist() == [name]


def test_an_apostrophe_that_a_program_dropped_is_no_matter(tmp_path):
    path = tmp_path / "review.csv"
    write_review(path, Review((Asked("-1", "cat", "cat", MARK, "?", "cat: typical", 2, 0.5),)), data=SHA)
    rows = filled(path, "yes")
    rows[0]["id"] = "-1'"
    save(path, rows)
    assert read_review(path, np.array(["-1", "-2"]), LABELS[:2], ("cat",), data=SHA).sample.ids.tolist() == [
        "-1"
    ]


def test_what_is_no_review_of_this_data_is_refused(sheet, tmp_path):
    with pytest.raises(DataNotFound, match="no file"):
        read(tmp_path / "other.csv")
    answer(sheet, "yes", "yes", "yes", "yes")
    with pytest.raises(
        InputError, match=r"a review of this data set \(0000000000\w+\), got one of another \(9f86"
    ):
        read(sheet, data="0" * 64)
    with pytest.raises(InputError, match=r"got 1 of 4 others: '0.png' \(row 2\)"):
        read_review(sheet, IDS[1:], LABELS[1:], ("cat",), data=SHA)
    with pytest.raises(DataDamaged, match="make 20 images, but the data set has 4; rows were taken away"):
        read_review(sheet, IDS[:4], LABELS[:4], ("cat",), data=SHA)
    (tmp_path / "table.csv").write_text("path,label\na,b\n")
    with pytest.raises(InputError, match=r"table.csv without id, predicted, pattern, question, answer"):
        read(tmp_path / "table.csv")


def test_rows_taken_away_or_changed_are_refused(sheet):
    rows = filled(sheet, "yes")
    save(sheet, rows[:2])
    with pytest.raises(DataDamaged, match="make 10 images, but the data set has 20; rows were taken away"):
        read(sheet)
    rows[0]["stratum_size"] = "11"
    save(sheet, rows)
    with pytest.raises(DataDamaged, match="make 10 images, but the data set has 20; rows were taken away"):
        read(sheet)


def test_answers_that_are_none_are_refused_with_their_row(sheet):
    with pytest.raises(InputError, match="got none; write yes or no into the column answer"):
        read(sheet)
    answer(sheet, "yes", "maybe")
    with pytest.raises(InputError, match=r"nothing as the answer in row 3 of .*review.csv, got 'maybe'"):
        read(sheet)


def test_two_answers_about_one_image_must_agree(sheet):
    rows = filled(sheet, "yes")
    save(sheet, [*rows, rows[0]])
    assert len(read(sheet).sample) == 4
    save(sheet, [*rows, rows[0] | {"answer": "no"}])
    with pytest.raises(InputError, match=r"got yes and no about the one in rows 2 and 6 of .*; correct one"):
        read(sheet)


def test_answers_about_several_patterns_need_a_choice(tmp_path):
    path = tmp_path / "review.csv"
    asked = [
        Asked("0.png", "cat", "cat", name, "?", "cat: typical", 20, 0.05) for name in (MARK, "a sign of x")
    ]
    write_review(path, Review(tuple(asked)), data=SHA)
    answer(path, "yes", "no")
    with pytest.raises(
        InputError, match=r"about one pattern in .*, got some about 2: 'a mark .*', 'a sign of x'"
    ):
        read(path)
    assert read(path, pattern="a sign of x").sample.groups.tolist() == ["cat, no a sign of x"]
    with pytest.raises(InputError, match=r"about 'a sign of y' in .*did you mean 'a sign of x'"):
        read(path, pattern="a sign of y")
    answer(path, "yes", "")
    assert read(path).pattern == MARK


def test_drawn_written_answered_and_read(tmp_path):
    made, path = cats_and_dogs(), tmp_path / "review.csv"
    write_review(path, draw_review(made, [CORNER]), data=SHA)
    save(path, filled(path, "no"))
    groups = read_review(path, made.ids[::-1], made.labels[::-1], made.data_classes, data=SHA)
    assert groups.sample.images == 400
    assert groups.sample.weights.sum() == pytest.approx(400)
    assert set(groups.sample.groups) == {f"cat, no {MARK}", f"dog, no {MARK}"}


@pytest.mark.parametrize(
    ("column", "value", "has"),
    [
        (np.array(["a", "b", "", "a"], dtype=object), "a", [True, False, False, True]),
        (np.array(["a", "b", "", "a"], dtype=object), "(missing)", [False, False, True, False]),
        (np.array(["49", "50", "79", ""], dtype=object), "50 to 79", [False, True, True, False]),
        (np.array([0.12344, 0.12346, 0.5, np.nan]), "0.1234 to 0.1234", [True, False, False, False]),
        (
            np.array(["here to stay", "there", "", "x"], dtype=object),
            "here to stay",
            [True, False, False, False],
        ),
    ],
)
def test_values_as_findings_name_them(column, value, has):
    assert has_value(column, value).tolist() == has

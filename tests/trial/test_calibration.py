import re
from pathlib import Path

from masktune.trial.calibration import DID_NOT, HARMFUL, HELPED, measured_in_words

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "verdict.md"


def test_what_is_told_beside_a_verdict_is_what_was_measured():
    rows = dict(re.findall(r"^\| (rose|did not) \| (\d+ \| \*\*\d+)", PAGE.read_text(), re.MULTILINE))
    for truth, counts in (("rose", HELPED), ("did not", DID_NOT)):
        trials, said = map(int, rows[truth].replace("*", "").split("|"))
        assert counts == (said, trials)
    wrong, harmful = re.search(r"Wrongly `harmful`: (\d+) of (\d+)", PAGE.read_text()).groups()
    assert (int(wrong), int(harmful)) == HARMFUL


def test_in_words_with_exact_intervals():
    # Clopper and Pearson by hand: no hit in 84 has the upper end 1 - 0.025 ** (1 / 84), none in 41 likewise.
    assert [round(100 * (1 - 0.025 ** (1 / n))) for n in (84, 41)] == [4, 9]
    assert measured_in_words(4) == (
        "how far a verdict can be trusted, by trials whose groups it did not see: MaskTune truly helped only "
        "on digits with squares, and was said to in 25 of 34 of these (74 %, 56 to 87); 0 of 84 without a "
        "gain were called helped (0 %, 0 to 4); of 41 called harmful 0 were better in their worst group than "
        "the old model (0 %, 0 to 9); on photos no true gain was seen, so how often one is found there is "
        "open"
    )


def test_of_more_classes_than_were_tried_that_is_said():
    assert measured_in_words(100).endswith("there is open; they had 2 to 4 classes, this one has 100")

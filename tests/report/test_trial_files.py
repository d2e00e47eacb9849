"""What a trial's folder tells: report, summary, model card, table, statement; and what it keeps to itself."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.report.trials import SECRETS, N, secret_trial, trial_of

from masktune.errors import DataNotFound, InputError
from masktune.evaluation import wilson
from masktune.report import (
    Told,
    redraw_trial,
    statement,
    statement_of,
    summary_of_trial,
    write_trial,
    write_trial_told,
)
from masktune.report import trial as written_by
from masktune.report.markdown import escaped, table
from masktune.report.model_card import model_card
from masktune.report.page import Kind
from masktune.report.trial_summary import summary_file
from masktune.runs import RunRecord

TOLD_FILES = {"report.html", "report.json", "summary.md", "MODEL_CARD.md", "masks.png"}
TEXTS = sorted(TOLD_FILES - {"masks.png"})
NOTHING = Told(images=False, pseudonymous=True)


def record_of(*flags):
    return RunRecord.now(
        command="tune",
        argv=["tune", "/home/mueller/pets", *flags],
        settings={},
        data=[],
        weights_sha256="cd" * 32,
        threads=2,
        device="cpu",
    )


def run_of(folder, trialled, told=Told(), *flags):  # noqa: B008 - it is frozen.
    """A finished run that was typed with these flags."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record_of(*flags).to_json()))
    write_trial(folder, trialled, told)
    return folder


def texts_of(folder):
    return {name: (folder / name).read_text() for name in TEXTS}


def rows_of(markdown):
    """First cell -> the other cells, of all rows of all tables."""
    cells = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in cells}


def test_all_files_are_written_and_those_that_tell_again(tmp_path):
    write_trial(tmp_path, trial_of())
    assert {path.name for path in tmp_path.iterdir()} == {
        *TOLD_FILES,
        "images.csv",
        "trial.json",
        "trial.npz",
    }
    for path in tmp_path.iterdir():
        path.unlink()
    write_trial_told(tmp_path, trial_of(), Told())
    assert {path.name for path in tmp_path.iterdir()} == TOLD_FILES


def test_a_report_that_is_drawn_again_is_the_same(tmp_path):
    told = Told(command="masktune tune /home/mueller/pets", made=record_of().started[:10])
    run = run_of(tmp_path / "run", trial_of(), told)
    before, sheet = texts_of(run), (run / "masks.png").read_bytes()
    for name in TOLD_FILES:
        (run / name).unlink()
    drawn = redraw_trial(run, Told())
    assert (drawn.page, drawn.kept) == (run / "report.html", ())
    assert texts_of(run) == before
    assert (run / "masks.png").read_bytes() == sheet


def test_a_trial_that_was_saved_from_python_is_drawn_again_without_a_record(tmp_path):
    write_trial(tmp_path, trial_of())
    before = texts_of(tmp_path)
    (tmp_path / "report.html").unlink()
    redraw_trial(tmp_path, Told())
    assert texts_of(tmp_path) == before
    with pytest.raises(
        InputError, match=r"expected a run of `masktune tune` for the statement, but .* no run.j"
    ):
        statement_of(tmp_path)


def test_no_trial_there(tmp_path):
    with pytest.raises(DataNotFound, match="no finished trial in"):
        redraw_trial(tmp_path, Told())


@pytest.mark.parametrize(
    ("flags", "told", "kept"),
    [
        (("--no-images", "--pseudonymous-ids"), NOTHING, ("pictures", "names")),
        (("--no-images",), Told(images=False), ("pictures",)),
        (("--pseudonymous-ids",), Told(pseudonymous=True), ("names",)),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
def test_a_report_that_is_drawn_again_tells_no_more_than_it_did(tmp_path, flags, told, kept, lost):
    """As well where its files were lost: then what was typed counts."""
    run = run_of(tmp_path / "run", trial_of(), told, *flags)
    if lost:
        for name in TOLD_FILES:
            (run / name).unlink(missing_ok=True)
    assert redraw_trial(run, Told()).kept == kept
    html = (run / "report.html").read_text()
    assert Kind.said_by(html) == Kind(images=told.images, names=not told.pseudonymous)
    assert ("data:image/jpeg" in html) == told.images
    assert (run / "masks.png").exists() == told.images
    for text in texts_of(run).values():
        assert ("/home/mueller" in text) != told.pseudonymous


def test_without_names_no_file_that_is_meant_to_leave_tells_any(tmp_path):
    run = run_of(tmp_path / "run", secret_trial(), NOTHING, "--pseudonymous-ids")
    for name, text in texts_of(run).items():
        assert [secret for secret in SECRETS if secret.lower() in text.lower()] == [], name
    assert [one for one in SECRETS if one.lower() in statement_of(run).lower()] == []
    assert "Mueller_000" in (run / "images.csv").read_text()  # For those who have the images.


def test_the_table_has_each_image_with_each_arms_answer():
    rows = list(csv.DictReader(io.StringIO(written_by._table(trial_of()))))
    assert [row["split"] for row in rows] == ["validation"] * N + ["test"] * 120
    assert list(rows[0])[:5] == ["id", "split", "label", "untouched", "untouched_confidence"]
    assert (rows[0]["id"], rows[0]["label"], rows[0]["untouched"]) == ("cat/0000.jpg", "cat", "dog")
    # Logits 2 and 0: the answer's probability is 1 / (1 + e^-2).
    assert rows[0]["masktune_confidence"] == f"{1 / (1 + np.exp(-2)):.6f}"
    wrong = [row["id"] for row in rows[:N] if row["masktune"] != row["label"]]
    assert wrong[5:] == [
        "dog/0025.jpg",
        *(f"cat/{at:04}.jpg" for at in (150, 152, 154, 156, 158)),
    ]


def test_the_sheet_has_maps_of_both_classifiers(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(written_by, "draw_examples", lambda *args, **more: drawn.append((*args, more)))
    trialled = secret_trial()
    write_trial_told(tmp_path, trialled, Told())
    write_trial_told(tmp_path, trialled, Told(pseudonymous=True))
    (examples, path, more), (veiled, *_) = drawn
    assert path == tmp_path / "masks.png"
    assert examples.images.shape == (8, 3, 56, 56)
    # The old model looks at row 1 of 7, the tuned one at row 3: at 56 pixels rows 8 to 15 and 24 to 31.
    old, tuned = more["sides"]
    assert old.maps[0].max(1).argmax() in range(8, 16)
    assert tuned.maps[0].max(1).argmax() in range(24, 32)
    assert (old.titles[0], tuned.titles[0]) == ("old: dog", "tuned: cat")
    assert examples.masked[0][:, examples.hidden[0]].max() == 0 < examples.hidden[0].mean() < 0.5
    assert examples.titles[0] == "cat: scan030.jpg"
    assert re.fullmatch(r"(cat|dog): image \d{4}", str(veiled.titles[0]))


def test_four_panels_are_wider_than_three(tmp_path):
    write_trial_told(tmp_path, trial_of(), Told())
    with Image.open(tmp_path / "masks.png") as picture:
        assert picture.size[0] == round(4.6 / 3 * 4 * 2 * 110)


def test_a_users_own_threshold_has_no_sheet_after_it_is_read_again(tmp_path):
    run = run_of(tmp_path / "run", trial_of(threshold=lambda maps: maps > 0.5))
    sheet = (run / "masks.png").read_bytes()
    redraw_trial(run, Told())
    assert (run / "masks.png").read_bytes() == sheet
    redraw_trial(run, Told(pseudonymous=True))
    assert not (run / "masks.png").exists()


def test_the_summary_says_what_came_out_in_paragraphs():
    told = summary_of_trial(trial_of())
    assert told[0] == "Helped. With the place swapped it is right on 80.0 % of its worst class."
    assert told[1].startswith("What to do: Use the tuned model")
    assert told[2].startswith(
        "Judged on 200 images that no arm was tuned on. Right are all images: old 90.0 % (85.1 to 93.4) of "
        "200, "
    )
    assert told[2].endswith(
        "worst true group: old 50.0 % (29.9 to 70.1) of 20 (cat on water), tuned 80.0 % (58.4 to 91.9) of 20 "
        "(cat on water)."
    )
    # Every third of 200 from the first on.
    assert told[3] == (
        "The old model looks at the centre of 133 and the top left corner of 67 of the 200 judged images."
    )
    changed = next(one for one in told if "were compared" in one)
    assert (
        "More than chance worse: nothing. More than chance better: column site = north: +11.7 points ("
        in changed
    )
    assert told[-1].startswith("What a trial cannot tell")


def test_the_summary_of_a_trial_whose_weights_are_unknown_says_that_once():
    trialled = trial_of("cannot_be_known")
    told = " ".join(summary_of_trial(trial_of("cannot_be_known", seen=trialled.verdict.reason)))
    assert told.count("not known which") == 1


def test_the_file_of_the_summary_has_the_arms_in_a_table():
    text = summary_file(trial_of(stopped={"random_mask": "it broke"}), "masktune tune pets")
    assert text.startswith("# pets: trial of MaskTune\n\n`masktune tune pets`\n\nHelped.")
    rows = rows_of(text)
    assert rows["MaskTune"][0] == "94.5 % (90.4 to 96.9) of 200"
    assert rows["random masks of equal area (stopped: the old model's numbers)"][0].startswith("90.0 %")
    assert "No control was run" in summary_file(trial_of(arms=("untouched", "masktune")), "")


def test_the_card_has_the_numbers_of_classes_and_true_groups_before_and_after():
    text = model_card(
        trial_of(test=False), weights="tuned.safetensors", command="masktune tune", made="today"
    )
    rows = rows_of(text)
    # 10 of 100 cats are wrong before, 3 + 5 after; 10 of 100 dogs, then 3.
    for name, before, after in (("class cat", 90, 92), ("class dog", 90, 97)):
        told = [wilson(right, 100) for right in (before, after)]
        assert rows[name] == [
            *(
                f"{right}.0 % ({100 * one.low:.1f} to {100 * one.high:.1f}) of 100"
                for right, one in zip((before, after), told, strict=True)
            )
        ]
    assert rows["true group cat on water"][0] == "50.0 % (29.9 to 70.1) of 20"
    assert rows["worst true group"][1] == "80.0 % (58.4 to 91.9) of 20 (cat on water)"
    for told in (
        "**Helped.** With the place swapped",
        "| model | timm:resnet18 |",
        f"| sha256 of the old weights | {'cd' * 32} |",
        "Hidden were 12.3 % of each of 720 training images, on average.",
        "Where it looks: xgradcam at layer4. The area: MeanPlusStd(k=2.0).",
        f"pets, sha256 {'ab' * 32}.",
        "| validation | 100 | 100 | 200 |",
        "No label of a group was read",
        "used to report the true numbers below",
        "column site = north: +11.7 points",
        "There are no test images",
        "- The images are CC BY 4.0.",
        'net.load_state_dict(load_file("tuned.safetensors"))',
    ):
        assert told in text


def test_test_images_have_a_table_of_their_own_in_the_card():
    text = model_card(trial_of(), weights=None)
    assert "On the test images: what each is right on" in text
    assert "There are no test images" not in text
    assert "load_file" not in text


def test_of_a_harmful_tuning_the_card_gives_no_weights(tmp_path):
    (tmp_path / "tuned.pth").write_bytes(b"of an earlier run")
    write_trial(tmp_path, trial_of("worse"))
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "**Harmful: keep the old model.** Its worst class" in text
    assert "| tuned weights | none; keep the old model |" in text
    assert text.rstrip().endswith("## How to load it\n\nKeep the old model.")
    assert "tuned.pth" not in text


def test_the_card_loads_what_lies_beside_it(tmp_path):
    (tmp_path / "tuned.pth").write_bytes(b"weights")
    write_trial(tmp_path, trial_of("no_effect"))
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert 'torch.load("tuned.pth", weights_only=True)' in text
    assert "If you use it all the same" in text
    assert "net.load_state_dict(content)" in text


def test_a_card_of_weights_that_nobody_knows_says_so_on_top():
    trialled = trial_of("cannot_be_known", licences=(), groups=False)
    head = model_card(trialled, weights=None).partition("## Model")[0]
    assert "**Not judged.** It is not known" in head
    assert "Whether the tuned model is any better was not judged. If" in model_card(trialled, weights=None)
    assert "> **Nothing can be concluded from the numbers below.**" in head
    text = model_card(trialled, weights=None)
    assert "- data: not given (--data-license TEXT, or data_license= in Python)" in text
    assert "true group" not in text


def test_a_card_of_a_trial_without_masktune_or_that_was_given_up():
    text = model_card(trial_of("cannot_be_known", arms=("untouched", "continue_erm")), weights=None)
    assert "MaskTune was not run" in text
    assert rows_of(text)["class cat"][1] == "–"
    text = model_card(trial_of("collapsed", stopped={"masktune": "it broke"}), weights=None)
    assert "- Tuning was given up, since it broke." in text
    assert "Hidden were" not in text


def test_few_images_of_a_class_are_a_limit_in_the_card():
    text = model_card(trial_of(classes=tuple(f"c{at}" for at in range(20))), weights=None)
    assert "Small classes, of which little can be said: c0 (10), c1 (10)" in text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a|b", "`x`", "[a](http://b)", "two\nlines"])
def test_a_strangers_name_is_plain_text_in_markdown(name):
    trialled = trial_of(classes=(name, "dog"), name=name, sites=(name, "south"))
    for text in (model_card(trialled, weights=None), summary_file(trialled, "")):
        assert not re.search(r"(?<!\\)<script", text)
        assert not re.search(r"(?<!\\)\]\(http", text)
        widths = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")]
        assert set(widths) <= {3, 4, 5, 7}
        assert all(line.endswith("|") for line in text.splitlines() if line.startswith("| "))


def test_escaping_by_hand():
    assert escaped("<b> a|b\n`c` [d] *e* \\") == r"\<b\> a\|b \`c\` \[d\] \*e\* \\"
    assert table(["a", "b|"], [["1", "2"]]) == "| a | b\\| |\n| --- | --- |\n| 1 | 2 |"


def test_the_statement_says_how_it_can_be_repeated():
    subjects = np.array([f"p{at // 4}" for at in range(N)])
    about = {**trial_of().about, "hardware": "a CPU of 2 GHz", "data": "animals/pets.csv"}
    told = statement(trial_of(subjects=subjects, about=about), record_of())
    versions = record_of().versions
    for part in (
        "on the device cpu (a CPU of 2 GHz) with 2 threads",
        f"torch {versions['torch']}",
        f"Data: animals/pets.csv (sha256 {'ab' * 32}), images by role: train 720 (cat 360, dog 360)",
        "; held back 80",
        "validation 200 (cat 100, dog 100)",
        f"Start weights: sha256 {'cd' * 32}; the weights are assumed",
        "in the same order (seed 0)",
        "The learning rate 0.001 was chosen among 0.003, 0.001, 0.0003",
        "Judged on 200 validation images of 50 subjects",
        "2,000 paired bootstrap draws of subjects",
        "no group label was read",
        "Licences: The images are CC BY 4.0.",
    ):
        assert part in told
    assert "\n" not in told
    given = trial_of(licences=(), arms=("untouched", "masktune"), sha256="")
    told = statement(given, record_of())
    assert "on the device cpu (its model was not recorded) with" in told
    assert "Licences: data: not given (--data-license TEXT, or data_license= in Python); weights: not" in told
    assert "for want of a control" in told
    assert "no hash known" in told
    assert "draws of images" in told


def test_an_operating_point_names_its_classes_in_summary_card_and_statement():
    trialled = trial_of(settings={"seed": 0, "operating_point": "specificity=.95"})
    cut = tuple(replace(arm, threshold=0.12 + 0.1 * at) for at, arm in enumerate(trialled.arms))
    trialled = replace(trialled, arms=cut)
    told = (
        "Operating point specificity=.95: dog is said where its probability is at least 0.12 (old model, "
        "untouched), 0.22 (one more ordinary epoch), 0.32 (random masks of equal area), 0.42 (the least "
        "salient area hidden), 0.52 (MaskTune), else cat; fixed for each arm on the judged images."
    )
    assert told in summary_of_trial(trialled)
    assert told in model_card(trialled, weights=None)
    assert told in statement(trialled, record_of())
    assert "Operating point" not in " ".join(summary_of_trial(trial_of()))


def test_data_that_came_as_a_file_are_called_by_it_and_its_folder():
    trialled = trial_of(about={**trial_of().about, "data": "animals/pets.csv"})
    assert summary_file(trialled, "").startswith("# animals/pets.csv: trial of MaskTune")
    card = model_card(trialled, weights=None)
    assert card.startswith("# Model card: animals/pets.csv, tuned with MaskTune")
    assert "animals/pets.csv, sha256" in card


def test_the_statement_of_weights_that_were_trained_first():
    trialled = trial_of()
    arms = tuple(replace(arm, epochs=arm.epochs + 5) for arm in trialled.arms)
    assert "They were trained for 5 epochs first" in statement(replace(trialled, arms=arms), record_of())

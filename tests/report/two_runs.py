"""Two run folders whose comparison is known, for the tests of comparisons."""

import json
from dataclasses import replace

import numpy as np
from tests.report.scans import observed_of, scan_of, shown_of

from masktune.findings.finding import Finding
from masktune.findings.store import save_scanned


def better_of(observed):
    """The same images, all called right but image 1, which was right before."""
    k = len(observed.data_classes)
    said = np.where(np.arange(len(observed)) == 1, (observed.labels + 1) % k, observed.labels)
    logits = np.zeros((len(observed), k), dtype=np.float32)
    logits[np.arange(len(observed)), said] = 3
    return replace(observed, predictions=replace(observed.predictions, logits=logits))


def two_scans(count=40, classes=("cat", "dog"), ids=None, **more):
    """Before: every fifth image wrong, MT002 fires. After: one wrong, MT002 passed, MT010 fires."""
    observed = observed_of(count, classes, ids)
    before = scan_of(observed, **more)
    after = better_of(observed)
    passed = Finding(
        code="MT002", title=before.findings[0].title, verdict="passed", reason="no place stands out"
    )
    place = replace(
        before.findings[1], verdict="problem", reason="it looks at one corner, whatever the image"
    )
    column = replace(
        before.findings[3], verdict="hint", reason="a column goes with it", about={"column": "site"}
    )
    fields = {"findings": (place, column, passed, before.findings[2]), "shown": shown_of(after), **more}
    return before, scan_of(after, **fields)


def saved(root, before, after, typed=((), ())):
    """Both in folders `old` and `new` under root; `typed` are further words of the two commands."""
    for name, scan, words, weights in (
        ("old", before, typed[0], "a" * 64),
        ("new", after, typed[1], "b" * 64),
    ):
        folder = root / name
        folder.mkdir(parents=True)
        save_scanned(scan, folder)
        record = {
            "argv": ["scan", "/home/mueller/pets", "--out", name, *words],
            "settings": {
                "model": f"/home/mueller/{name}.py:net",
                "max_images": None if name == "old" else 80,
            },
            "versions": {"torch": "2.9.0"},
            "weights_sha256": weights,
            "device": "cpu",
            "threads": 1,
            "started": "2026-11-25T10:00:00Z",
        }
        (folder / "run.json").write_text(json.dumps(record))
    return root / "new", root / "old"

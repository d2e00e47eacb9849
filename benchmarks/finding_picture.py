"""Draw `docs/pictures/finding.png`: the first problem in the report on made images and a net trained on them.

    OMP_NUM_THREADS=1 python benchmarks/finding_picture.py docs/pictures/finding.png

Needs playwright and Debian's chromium, as the tests of the report do.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from scan_alarms import trained

from masktune import scan
from masktune.testing import Marker, ShortcutImages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    marker = Marker("square", 0.15, "bottom right", of_class="cross", share=0.95, conflicting=0.05)
    splits = ShortcutImages(1500, marker=marker).splits(validation=600)
    report = scan(trained(splits.train, epochs=8, seed=0), splits.validation)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_at = report.save(Path(folder) / "scan")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 900}, device_scale_factor=1.5)
        page.goto(page_at.as_uri())
        page.locator("details.finding.problem").first.screenshot(path=str(given.picture))
        browser.close()


if __name__ == "__main__":
    main()

"""How long a report takes to open in headless Chromium, and how large it is.

    python benchmarks/report_opening.py /tmp/scans/cats/scan/report.html

From navigation until the page is loaded, until the first card of the gallery is to be seen, and until all
cards are drawn: medians of five runs, each in a fresh context. Needs Playwright and Debian's `chromium`.
"""

import argparse
import os
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright


def opened(browser: Browser, report: Path) -> tuple[float, float, float, int]:
    """Seconds until loaded, until the first card is visible and until all are drawn; number of cards."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(report.resolve().as_uri(), wait_until="load")
    loaded = time.perf_counter() - began
    page.wait_for_selector("#cards > .card", state="visible")
    first = time.perf_counter() - began
    page.wait_for_selector("html[data-drawn=true]", state="attached")
    drawn = time.perf_counter() - began
    cards = page.locator("#cards > .card").count()
    context.close()
    return loaded, first, drawn, cards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        runs = [opened(browser, given.report) for _ in range(given.runs)]
        browser.close()
    print(f"{given.report.stat().st_size / 1e6:.2f} MB, {runs[0][3]} cards, {given.runs} runs")
    for name, times in zip(
        ("loaded", "first card visible", "all drawn"), zip(*runs, strict=True), strict=False
    ):
        each = " ".join(f"{seconds:.2f}" for seconds in times)
        print(f"{name}: median {statistics.median(times):.2f} s ({each})")


if __name__ == "__main__":
    main()

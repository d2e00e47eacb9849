"""Debian's Chromium, driven by Playwright; axe-core from the npm registry."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

AXE = "axe-core-4.14.1.tgz"


def missing(what):
    """Skip, but in CI fail: a report that nobody opened is not tested."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI has to have it")
    pytest.skip(what)


@pytest.fixture(scope="module")  # No longer: its event loop would be in the way of other tests.
def chromium():
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        missing("chromium is not installed (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (make test installs it)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """The text of axe.min.js, kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "masktune-dev"
    packed = cache / AXE
    if not packed.exists():
        if shutil.which("npm") is None:
            missing("npm is not installed, which brings axe-core")
        cache.mkdir(parents=True, exist_ok=True)
        wanted = AXE.removesuffix(".tgz").replace("core-", "core@")
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=cache, check=True, capture_output=True)
    with tarfile.open(packed) as files:
        return files.extractfile("package/axe.min.js").read().decode()


@pytest.fixture
def open_page(chromium, tmp_path):
    """Write HTML to a file and open it; fails afterwards on a message, an error or a request."""
    contexts, trouble, asked = [], [], []

    def opened(html, **options):
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        drawn(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    # What a test reads back from a canvas is advised on; the page itself reads none.
    assert [one for one in trouble if "willReadFrequently" not in one] == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


def drawn(page):
    """Wait until every card is drawn. (The page forbids the eval that `wait_for_function` needs.)"""
    page.wait_for_selector("html[data-drawn=true]", state="attached")

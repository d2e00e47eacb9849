"""The page that one can open and pass on: one HTML file that holds all it shows and asks nobody for more."""

from masktune.report.page.frame import Page, Section, render_page
from masktune.report.page.kind import Kind
from masktune.report.page.scan_page import render_scan
from masktune.report.page.trial_page import render_trial

__all__ = ["Kind", "Page", "Section", "render_page", "render_scan", "render_trial"]

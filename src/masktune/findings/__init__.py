"""What a classifier leans on: observed, tried, asked. Nothing is trained."""

from masktune.findings.finding import Evidence, Finding, Question, Verdict
from masktune.findings.observed import Observed, Spot, Transplant
from masktune.findings.run import codes, scan_run
from masktune.findings.scan import check_enough, check_muted, scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned, Shown

__all__ = [
    "Evidence",
    "Finding",
    "Observed",
    "Question",
    "ScanSettings",
    "Scanned",
    "Shown",
    "Spot",
    "Transplant",
    "Verdict",
    "check_enough",
    "check_muted",
    "codes",
    "scan_images",
    "scan_run",
]

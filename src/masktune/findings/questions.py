"""All questions, in the order of their codes."""

from collections.abc import Sequence

from masktune.findings import (
    mt001_one_place,
    mt002_spot,
    mt003_leans_on,
    mt004_faithful,
    mt005_border,
    mt006_corners,
    mt007_tiny,
    mt008_properties,
    mt009_names,
    mt010_tags,
    mt011_columns,
    mt012_diversity,
    mt013_duplicates,
    mt014_collapse,
    mt015_other_task,
    mt016_crop,
    mt017_at_risk,
)
from masktune.findings.finding import Question

QUESTIONS: Sequence[Question] = (
    mt001_one_place.QUESTION,
    mt002_spot.QUESTION,
    mt003_leans_on.QUESTION,
    mt004_faithful.QUESTION,
    mt005_border.QUESTION,
    mt006_corners.QUESTION,
    mt007_tiny.QUESTION,
    mt008_properties.QUESTION,
    mt009_names.QUESTION,
    mt010_tags.QUESTION,
    mt011_columns.QUESTION,
    mt012_diversity.QUESTION,
    mt013_duplicates.QUESTION,
    mt014_collapse.QUESTION,
    mt015_other_task.QUESTION,
    mt016_crop.QUESTION,
    mt017_at_risk.QUESTION,
)
"""A code is never reused."""

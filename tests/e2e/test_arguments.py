"""Arguments reach the job as they were written."""

import pytest

from tests.support.e2e.manifests import job_run
from tests.support.e2e.run import Run

ARGUMENTS = [
    "two words",
    "",
    "\"double\" 'single'",
    "$(id) `id` ${HOME} $HOME",
    "--master",
    "local[1]",
    "--conf",
    "spark.master=local",
    "a\\b\\\\c",
    "Zürich 東京 🔥",
    " leading and trailing ",
    "line\nbreak\tand tab",
    "*.py ~ # ; | & > <",
    "",
]


@pytest.mark.submits(job_run("arguments", "arguments.py", ARGUMENTS))
def test_arguments_reach_the_job_unchanged(run: Run) -> None:
    assert run.succeeds().answer() == ARGUMENTS

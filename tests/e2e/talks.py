"""Runs that stay, and do what the tests ask."""

from tests.support.e2e.files import FILES, MAVEN, PACKAGE
from tests.support.e2e.manifests import QUICK, job_run

DEPENDENCIES = (
    f"--py-files {FILES}/helper.py --files {FILES}/note.txt --archives {FILES}/bundle.zip#bundle "
    f"--jars {FILES}/e2e.jar --packages {PACKAGE} --repositories {MAVEN}"
)

CURIOUS = job_run("talk-curious", "talk.py", application="e2e-talks", parameters=DEPENDENCIES)
OTHER = job_run("talk-other", "talk.py", application="e2e-talks")
STEADY = job_run(
    "talk-steady",
    "talk.py",
    application="e2e-talks",
    conf=QUICK | {"spark.dynamicAllocation.initialExecutors": "2", "spark.dynamicAllocation.maxExecutors": "2"},
)

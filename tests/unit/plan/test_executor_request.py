"""What is taken from the executor pod that a Spark driver posts."""

from typing import Any

import pytest

from ember.plan.executor import parse_request
from ember.plan.facts import ExecutorRequest
from tests.support.broker_world import executor_wish


def parse(pod: dict[str, Any]) -> ExecutorRequest:
    return parse_request(pod, namespace="team-a", run_name="run-1", run_uid="uid-1", attempt=1, now=0.0)


def test_it_holds_what_the_executor_needs() -> None:
    request = parse(executor_wish("7"))
    assert (request.executor_id, request.cores, request.resource_profile_id) == ("7", 1, "0")
    assert request.driver_url.startswith("spark://")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"SPARK_DRIVER_URL": ""}, "SPARK_DRIVER_URL"),
        ({"SPARK_EXECUTOR_CORES": "0"}, "SPARK_EXECUTOR_CORES"),
        # The API server would refuse the pod, again and again, when the driver has long had its answer.
        ({"SPARK_RESOURCE_PROFILE_ID": "no label!"}, "SPARK_RESOURCE_PROFILE_ID"),
        ({"SPARK_RESOURCE_PROFILE_ID": "1" * 64}, "SPARK_RESOURCE_PROFILE_ID"),
    ],
)
def test_what_can_never_be_is_refused_at_once_and_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(executor_wish(**environment))


def test_a_label_of_spark_that_is_none_is_refused() -> None:
    pod = executor_wish()
    pod["metadata"]["labels"]["spark-app-name"] = "-starts-badly"
    with pytest.raises(ValueError, match="spark-app-name"):
        parse(pod)


@pytest.mark.parametrize("number", ["", "-1", "1" * 10, "\u00b2", "\u0661"])
def test_an_executor_id_is_a_short_decimal_number(number: str) -> None:
    with pytest.raises(ValueError, match="spark-exec-id"):
        parse(executor_wish(number))


def test_options_that_no_annotation_could_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="Java options"):
        parse(executor_wish(SPARK_JAVA_OPT_0="x" * 40_000, SPARK_JAVA_OPT_1="x" * 40_000))


@pytest.mark.parametrize(
    "options",
    [
        {"SPARK_JAVA_OPT_0": "\N{GRINNING FACE}" * 20_000},
        dict.fromkeys((f"SPARK_JAVA_OPT_{number}" for number in range(20_000)), ""),
    ],
)
def test_what_counts_is_what_is_kept_not_the_characters(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Java options"):
        parse(executor_wish(**options))

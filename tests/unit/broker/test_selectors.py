"""Selectors mean what they mean in Kubernetes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.broker.selectors import matcher, parse_labels

keys = st.from_regex(r"\A[a-z][a-z0-9./-]{0,10}[a-z0-9]\Z")
values = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_.-]{0,10}[A-Za-z0-9])?\Z")
labels = st.dictionaries(keys, values, max_size=4)


def pod(names: dict[str, str], phase: str = "Running") -> dict[str, object]:
    return {"metadata": {"name": "p", "namespace": "n", "labels": names}, "status": {"phase": phase}}


@given(labels, keys, values)
def test_equality_and_its_opposite(names: dict[str, str], key: str, value: str) -> None:
    held = names.get(key) == value
    assert matcher(f"{key}={value}")(pod(names)) is held
    assert matcher(f"{key}=={value}")(pod(names)) is held
    assert matcher(f"{key}!={value}")(pod(names)) is not held


@given(labels, keys, st.lists(values, min_size=1, max_size=4))
def test_sets_and_their_opposite(names: dict[str, str], key: str, among: list[str]) -> None:
    held = names.get(key) in among
    assert matcher(f"{key} in ({','.join(among)})")(pod(names)) is held
    assert matcher(f"{key} notin ( {' , '.join(among)} )")(pod(names)) is not held


@given(labels, keys)
def test_existence(names: dict[str, str], key: str) -> None:
    assert matcher(key)(pod(names)) is (key in names)
    assert matcher(f"!{key}")(pod(names)) is (key not in names)


@given(labels, st.lists(st.tuples(keys, values), max_size=4))
def test_parts_are_all_needed(names: dict[str, str], wanted: list[tuple[str, str]]) -> None:
    selector = ",".join(f"{key}={value}" for key, value in wanted)
    assert matcher(selector)(pod(names)) is all(names.get(key) == value for key, value in wanted)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_labels(text)
    except ValueError as error:
        assert "label selector" in str(error)


def test_what_spark_sends() -> None:
    watch = matcher("spark-app-selector=app,spark-role=executor,spark-exec-inactive!=true")
    executor = {"spark-app-selector": "app", "spark-role": "executor", "spark-exec-id": "3"}
    assert watch(pod(executor))
    assert not watch(pod({**executor, "spark-exec-inactive": "true"}))
    excess = matcher("spark-app-selector=app,spark-role=executor,spark-exec-id in (3,4)", "status.phase=Pending")
    assert excess(pod(executor, "Pending"))
    assert not excess(pod(executor, "Running"))
    assert matcher("", "metadata.name=p")(pod({}))
    assert not matcher("", "metadata.name=q")(pod({}))
    assert matcher("", "metadata.name!=q,metadata.namespace=n")(pod({}))


@pytest.mark.parametrize("wrong", ["a=b=c", "a in b", "a in (b", "(a)", "a,,b", "=b", "a=b c"])
def test_wrong_label_selectors(wrong: str) -> None:
    with pytest.raises(ValueError, match="label selector"):
        matcher(wrong)


@pytest.mark.parametrize("wrong", ["spec.nodeName=x", "metadata.name", "metadata.name>1"])
def test_fields_that_are_not_served(wrong: str) -> None:
    with pytest.raises(ValueError, match="field selector"):
        matcher("", wrong)

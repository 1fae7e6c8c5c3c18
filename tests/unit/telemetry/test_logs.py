"""JSON log lines."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from ember.telemetry import logs


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    def last(self) -> dict[str, Any]:
        line = self.stream.getvalue().splitlines()[-1]
        return dict(json.loads(line))


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    made = Lines()
    logs.configure("DEBUG", made.stream)
    yield made
    root.handlers[:], root.level = handlers, level


def test_a_line_has_time_level_logger_message_and_extras(lines: Lines) -> None:
    logging.getLogger("ember.x").info("hello %s", "world", extra={"pod": "p", "seconds": 0.5})
    line = lines.last()
    assert datetime.fromisoformat(line.pop("ts")).tzinfo is not None
    expected = {"level": "info", "logger": "ember.x", "message": "hello world", "pod": "p", "seconds": 0.5}
    assert line == expected


def test_bound_fields_are_on_each_line_and_the_call_wins(lines: Lines) -> None:
    log = logs.bind("ember.run", namespace="team-a", jobRun="r").bind(pod="p")
    log.warning("x", extra={"pod": "q"})
    assert {name: lines.last()[name] for name in ("namespace", "jobRun", "pod")} == {
        "namespace": "team-a",
        "jobRun": "r",
        "pod": "q",
    }


def test_an_exception_stays_on_one_line(lines: Lines) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: two\nlines" in lines.last()["exception"]
    assert lines.stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer eyJhbGciOi.hunter2hunter2",
        'aws_secret_access_key = "hunter2hunter2"',
        "x-amz-security-token=hunter2hunter2&x=1",
        "password: hunter2",
        '{"SecretAccessKey": "hunter2hunter2"}',
    ],
)
def test_secrets_within_messages_are_blotted_out(lines: Lines, text: str) -> None:
    logging.getLogger("x").info("%s", text, extra={"text": text, "nested": {"list": [text]}})
    assert "hunter2" not in lines.stream.getvalue()
    assert lines.stream.getvalue().count("***") == 3


def test_fields_named_like_secrets_are_blotted_out(lines: Lines) -> None:
    extra = {"token": "hunter2", "credentials": {"a": "hunter2"}, "run": {"SecretAccessKey": "hunter2", "id": "1"}}
    logging.getLogger("x").info("", extra=extra)
    line = lines.last()
    assert (line["token"], line["credentials"], line["run"]) == ("***", "***", {"SecretAccessKey": "***", "id": "1"})


def test_objects_without_a_plain_form_are_left_out(lines: Lines) -> None:
    logging.getLogger("x").info("", extra={"settings": object(), "nothing": None})
    assert "settings" not in lines.last()
    assert lines.last()["nothing"] is None


def test_chatty_libraries_are_quiet(lines: Lines) -> None:
    logging.getLogger("botocore").info("x")
    assert not lines.stream.getvalue()

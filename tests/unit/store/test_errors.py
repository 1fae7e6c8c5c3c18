"""The kinds of errors and their sentences."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from ember.store import StoreError, StoreRefused, StoreUnavailable
from ember.store.errors import translate, wants_new_credentials


def client_error(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": f"it said {code}"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutObject")  # type: ignore[arg-type, unused-ignore]


def translated(error: Exception) -> StoreError:
    return translate(error, action="s3:PutObject", bucket="b", key="k", namespace="team-a")


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "ExpiredToken", "RequestTimeTooSkewed"])
def test_what_passes_is_unavailable(code: str) -> None:
    assert isinstance(translated(client_error(code)), StoreUnavailable)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_the_status_decides_about_unknown_codes(status: int) -> None:
    assert isinstance(translated(client_error("SomethingNew", status)), StoreUnavailable)
    assert isinstance(translated(client_error("SomethingNew", 400)), StoreRefused)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("NoSuchBucket", "the bucket b does not exist"),
        ("AccessDenied", "the namespace team-a need to be allowed s3:PutObject"),
        ("403", "the namespace team-a need to be allowed s3:PutObject"),
        ("InvalidAccessKeyId", "does not know the access key"),
        ("SomethingNew", "refused s3:PutObject on s3://b/k: SomethingNew: it said SomethingNew"),
    ],
)
def test_refusals_say_what_to_do(code: str, sentence: str) -> None:
    error = translated(client_error(code, 403))
    assert isinstance(error, StoreRefused)
    assert sentence in str(error)


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url="http://x"), ConnectionResetError("reset"), TimeoutError()]
)
def test_network_trouble_is_unavailable(error: Exception) -> None:
    assert isinstance(translated(error), StoreUnavailable)


def test_a_name_the_client_refuses_is_refused() -> None:
    assert isinstance(translated(ParamValidationError(report="bad")), StoreRefused)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_keys_that_may_have_been_changed_are_asked_for_anew(code: str) -> None:
    assert wants_new_credentials(ClientError({"Error": {"Code": code}}, "PutObject"))


def test_bugs_stay_bugs() -> None:
    with pytest.raises(ZeroDivisionError):
        translated(ZeroDivisionError())

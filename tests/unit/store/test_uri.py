"""Names of objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.store import Location, parse_s3_uri


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://bucket/a/b.gz", "bucket", "a/b.gz"),
        ("s3a://my.bucket-1/", "my.bucket-1", ""),
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/a b?c#d", "bucket", "a b?c#d"),
        ("s3://bucket//double", "bucket", "/double"),
        ("s3://bucket/...", "bucket", "..."),
    ],
)
def test_locations(uri: str, bucket: str, key: str) -> None:
    assert parse_s3_uri(uri) == Location(bucket, key)
    assert parse_s3_uri(str(Location(bucket, key))) == Location(bucket, key)


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("", "must begin with s3://"),
        ("/tmp/x", "must begin with s3://"),
        ("file:///etc", "must begin with s3://"),
        ("S3://bucket/x", "must begin with s3://"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://Bucket/x", "no valid bucket name"),
        ("s3://b/x", "no valid bucket name"),
        ("s3://user:pw@bucket/x", "no valid bucket name"),
        ("s3://bu..cket/x", "no valid bucket name"),
        ("s3://bucket/a/../b", "as a segment"),
        ("s3://bucket/./b", "as a segment"),
        ("s3://bucket/a\nb", "control characters"),
        ("s3://bucket/" + "é" * 600, "longer than 1024 bytes"),
    ],
)
def test_what_is_no_location_is_refused_with_a_sentence(uri: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_s3_uri(uri)


@given(st.text())
def test_any_text_is_a_location_or_a_value_error(text: str) -> None:
    for uri in (text, "s3://" + text, "s3://bucket/" + text):
        try:
            assert parse_s3_uri(uri).bucket
        except UnicodeEncodeError:
            raise
        except ValueError:
            pass

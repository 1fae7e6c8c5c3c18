"""The only speaker to the object store: any S3 endpoint. Nothing here decides what is stored or where."""

from ember.store.client import Store, StoreSettings
from ember.store.credentials import CredentialsProvider, from_environment
from ember.store.errors import StoreError, StoreRefused, StoreUnavailable
from ember.store.uri import Location, parse_s3_uri

__all__ = [
    "CredentialsProvider",
    "Location",
    "Store",
    "StoreError",
    "StoreRefused",
    "StoreSettings",
    "StoreUnavailable",
    "from_environment",
    "parse_s3_uri",
]

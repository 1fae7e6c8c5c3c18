"""What can go wrong with the store, in two kinds: wait and repeat, or tell the user."""

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

_ACCESS = "access to {location} was denied: the credentials of the namespace {namespace} need to be allowed {action}"
_KEY_ID = "the store does not know the access key of the namespace {namespace}: check its credentials"
_SECRET = "the store refused the secret key of the namespace {namespace}: check its credentials"  # noqa: S105
_REGION = "the bucket {bucket} is in another region: check the region and the endpoint in the settings of the store"
_FULL = "the bucket {bucket} is full: raise its quota or remove objects"
_SENTENCES = {
    "AccessDenied": _ACCESS,
    "AuthorizationHeaderMalformed": _REGION,
    "EntityTooLarge": "the object {location} is larger than the store accepts",
    "InvalidAccessKeyId": _KEY_ID,
    "InvalidBucketName": "the store does not accept the bucket name {bucket}",
    "MethodNotAllowed": "the store does not allow {action} on {location}",
    "NoSuchBucket": "the bucket {bucket} does not exist: create it, or correct the location",
    "NoSuchKey": "the object {location} does not exist",
    "PermanentRedirect": _REGION,
    "QuotaExceeded": _FULL,
    "SignatureDoesNotMatch": _SECRET,
    "XMinioAdminBucketQuotaExceeded": _FULL,
}
_ALIASES = {"403": "AccessDenied", "Forbidden": "AccessDenied", "404": "NoSuchKey", "AllAccessDisabled": "AccessDenied"}
_RENEW = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "RequestExpired"})
# A mended or rotated Secret looks like this to who still holds the old keys.
_CHANGED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
_PASSING = frozenset(
    {
        "BadDigest", "IncompleteBody", "InternalError", "OperationAborted", "RequestLimitExceeded",
        "RequestTimeTooSkewed", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling",
        "ThrottlingException", "XMinioStorageFull",
    }
)  # fmt: skip


class StoreError(Exception):
    """A call to the store failed; the text is a sentence for a user."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class StoreUnavailable(StoreError):  # noqa: N818 - a state of the store, as its callers say it
    """The store cannot be reached, or not now: repeat later."""


class StoreRefused(StoreError):  # noqa: N818 - see above
    """The store refused for good: somebody must change something."""


def error_code(error: ClientError) -> str:
    """Return the store's own code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def wants_new_credentials(error: Exception) -> bool:
    """Tell whether fresh credentials may help."""
    return isinstance(error, ClientError) and error_code(error) in _RENEW | _CHANGED


def translate(error: Exception, *, action: str, bucket: str, key: str, namespace: str) -> StoreError:
    """Return the error to raise for one of the client's."""
    location = f"s3://{bucket}/{key}"
    if isinstance(error, StoreError):
        return error
    if isinstance(error, ParamValidationError):
        return StoreRefused(f"{location} is not accepted as a location: {error}", "ParamValidation")
    if isinstance(error, (BotoCoreError, OSError, TimeoutError)):
        text = str(error) or "no answer in time"
        return StoreUnavailable(f"the object store cannot be reached for {location}: {text}", type(error).__name__)
    if not isinstance(error, ClientError):
        raise error
    code = error_code(error)
    code = _ALIASES.get(code, code)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if sentence := _SENTENCES.get(code):
        words = {"bucket": bucket, "location": location, "namespace": namespace or "(none)", "action": action}
        return StoreRefused(sentence.format(**words), code)
    message = str(error.response.get("Error", {}).get("Message", "")) or code
    if code in _RENEW:
        return StoreUnavailable(f"the credentials for {location} have expired: {message}", code)
    if code in _PASSING or status >= 500 or status in (0, 408, 429):
        return StoreUnavailable(f"the object store failed at {action} on {location}: {message}", code)
    return StoreRefused(f"the object store refused {action} on {location}: {code}: {message}", code)

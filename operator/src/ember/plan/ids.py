"""Names and ids that follow from an object alone, so that a repeat after a crash finds its own children."""

import hashlib

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_LABEL_LIMIT = 63  # Kubernetes: label values and host names


def external_id(uid: str) -> str:
    """The EMR-shaped id (`[0-9a-z]+`, 16 characters) of the application or job run with this UID."""
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:16], "big")
    digits = []
    for _ in range(14):
        number, digit = divmod(number, 36)
        digits.append(_BASE36[digit])
    return "00" + "".join(digits)


def label_value(name: str) -> str:
    """`name` as a label value: itself, or cut with a hash at its end when it is too long for one."""
    if len(name) <= _LABEL_LIMIT:
        return name
    return f"{name[:54].rstrip('-.')}-{_hex(name, 8)}"


def driver_pod_name(run_name: str, run_uid: str, attempt: int) -> str:
    """The name of an attempt's driver pod."""
    return f"{_stem(run_name, run_uid, attempt)}-driver"


def executor_pod_name(run_name: str, run_uid: str, attempt: int, executor_id: str) -> str:
    """The name of the pod that runs Spark's executor `executor_id` in an attempt."""
    return f"{_stem(run_name, run_uid, attempt)}-exec-{executor_id}"


def warm_pod_name(application: str, uid: str, role: str, now: float, number: int) -> str:
    """A name for a pre-initialized worker: unique by the moment and the number within it."""
    cut = application[:30].replace(".", "-").rstrip("-")
    return f"{cut}-{_hex(uid, 6)}-{role}-{int(now * 1000):x}{number:02x}"


def _stem(run_name: str, run_uid: str, attempt: int) -> str:
    cut = run_name[:40].replace(".", "-").rstrip("-")  # a pod's name is its host name: no dots, 63 characters
    return f"{cut}-{_hex(run_uid, 6)}-{attempt}"


def _hex(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
